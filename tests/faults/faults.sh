#!/bin/sh
# Failing calls (run.sh), signals (signals.sh, resume.sh, begun.sh): the writer alone, and the
# programs that write.
cd "$(dirname "$0")/../.." || exit 2
: "${BUILD:=build}"
case $BUILD in /*) ;; *) BUILD=$PWD/$BUILD ;; esac
export BUILD
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
bad=0
tests/faults/signals.sh gguf-quant "$dir/q" "$BUILD/gguf-quant" --force -q -t 2 \
  fixtures/shakespeare-f16.gguf "$dir/q/out.gguf" Q4_K_M || bad=1
seq 1 1000 >"$dir/ids"
tests/faults/signals.sh gguf-eval "$dir/e" "$BUILD/gguf-eval" -q --tokens "$dir/ids" \
  --logits "$dir/e/out" fixtures/shakespeare-f16.gguf || bad=1
tests/faults/begun.sh gguf-quant "$dir/b" "$BUILD/gguf-quant" -q -t 1 --cpu scalar --force \
  fixtures/shakespeare-f16.gguf "$dir/b/out.gguf" Q4_K_M || bad=1
tests/faults/begun.sh gguf-eval "$dir/b" "$BUILD/gguf-eval" -q --tokens "$dir/ids" \
  --logits "$dir/b/out" fixtures/shakespeare-f16.gguf || bad=1
tests/faults/begun.sh gguf-imatrix "$dir/b" "$BUILD/gguf-imatrix" -q -t 1 --chunk 64 --save-every 1 \
  --chunks 12 -f fixtures/shakespeare-heldout.txt -o "$dir/b/out.gguf" fixtures/shakespeare-f16.gguf || bad=1
tests/faults/resume.sh || bad=1
[ -e "$BUILD/faultio.so" ] || { echo "not ok faults: faultio.so is not built: make test" && exit 1; }
LD_PRELOAD=$BUILD/faultio.so FAULT_CALL=malloc FAULT_AT=1 FAULT_MARK=$dir/mark ls >/dev/null 2>&1
if [ ! -e "$dir/mark" ]; then
  echo "skip faults: libraries cannot be preloaded here"
  exit $bad
fi
tests/faults/run.sh writer "$dir/w" "$BUILD/unit/test_write_files" --write "$dir/w/m" || bad=1
FAULT_SKIP=8 tests/faults/run.sh gguf-quant "$dir/q" "$BUILD/gguf-quant" --force -q -t 2 \
  fixtures/shakespeare-f16.gguf "$dir/q/out.gguf" Q8_0 || bad=1
head -c 2000 fixtures/shakespeare-heldout.txt >"$dir/text"
FAULT_SKIP=4 tests/faults/run.sh gguf-imatrix "$dir/i" "$BUILD/gguf-imatrix" -q -t 1 --chunk 64 \
  --chunks 1 -f "$dir/text" -o "$dir/i/out.gguf" fixtures/shakespeare-f16.gguf || bad=1

# The legacy form is written without the writer: a rename that fails is told by its own name.
subject="faults: gguf-imatrix tells why the legacy form got no name"
if LD_PRELOAD=$BUILD/faultio.so FAULT_CALL=rename FAULT_AT=1 FAULT_ERRNO=EDQUOT "$BUILD/gguf-imatrix" -q -t 1 \
  --chunk 64 --chunks 1 -f "$dir/text" -o "$dir/i/out.dat" fixtures/shakespeare-f16.gguf 2>"$dir/message"; then
  echo "not ok $subject: exit 0" && bad=1
elif grep -q "cannot be written: Disk quota exceeded" "$dir/message" && [ -z "$(find "$dir/i" -name '.*.tmp')" ]; then
  echo "ok $subject"
else
  echo "not ok $subject: $(cat "$dir/message")" && bad=1
fi
exit $bad
