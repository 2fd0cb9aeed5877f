#!/bin/sh
# Failing calls (run.sh), signals (signals.sh, resume.sh): the writer alone, and the programs that
# write.
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
exit $bad
