#!/bin/sh
# The bad and unusual files of ../shared/corpus/gguf. Plain gguf-info gives every verdict;
# gguf-info with every option and gguf-quant, built with ASan and UBSan, never crash or
# hang. One check a file and form.
cd "$(dirname "$0")/.." || exit 2
: "${BUILD:=build}"
corpus=../shared/corpus/gguf
if [ ! -d "$corpus" ]; then
  echo "skip corpus: no ../shared/corpus"
  exit 0
fi
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
export ASAN_OPTIONS=detect_leaks=1:allocator_may_return_null=1 OMP_NUM_THREADS=2
bad=0

# manifest.json, a line a file: name, verdict (the recommended one for "either"), checks
node -e '
for (const m of JSON.parse(require("fs").readFileSync(process.argv[1]))) {
  const verdict = m.expect === "either" ? m.recommend : m.expect;
  console.log(m.file, verdict, (m.checks || []).join(",") || "-");
}' "$corpus/manifest.json" >"$dir/list"
[ -s "$dir/list" ] || { echo "not ok corpus: no manifest" && exit 1; }

ok() { echo "ok corpus $1"; }
not_ok() { echo "not ok corpus $1" && bad=1; }
raw_control() { LC_ALL=C grep -qP '[\x00-\x08\x0b-\x1f\x7f]' "$1"; }
is_json() { node -e 'JSON.parse(require("fs").readFileSync(process.argv[1], "utf8"))' "$1" 2>/dev/null; }

# run PROGRAM ARGUMENT...: exit code in $rc, output in $dir/out and $dir/err
run() {
  timeout 20 "$@" >"$dir/out" 2>"$dir/err" </dev/null
  rc=$?
}
crashed() { [ "$rc" -ge 3 ] || grep -qE 'AddressSanitizer|LeakSanitizer|runtime error' "$dir/err"; }

verdict() { # verdict FILE EXPECTED
  run "$BUILD/gguf-info" "$corpus/$1"
  case $2:$rc in
  accept:0 | reject:1 | reject:2) ok "$1 $2" ;;
  *) not_ok "$1: expected $2, exit $rc: $(tail -n 1 "$dir/err")" ;;
  esac
  if raw_control "$dir/out" || raw_control "$dir/err"; then not_ok "$1: raw control characters"; fi
}

survives() { # survives NAME PROGRAM ARGUMENT...
  name=$1
  shift
  run "$@"
  if crashed; then
    not_ok "$name: exit $rc: $(grep -E 'Sanitizer|runtime error' "$dir/err" | head -n 1)"
  elif raw_control "$dir/out" || raw_control "$dir/err"; then
    not_ok "$name: raw control characters"
  else
    ok "$name"
  fi
}

while read -r file expected checks; do
  f=$corpus/$file
  info=$BUILD/asan/gguf-info
  verdict "$file" "$expected"
  survives "$file text" "$info" "$f" --metadata --full --tensors --layout --stats --chat-template \
    --tokenizer --verify --values t:4 --sort size -t 2
  survives "$file filters" "$info" "$f" --keys . --names '^t' --sort params
  survives "$file json" "$info" "$f" --json --metadata --full --tensors --layout --stats \
    --chat-template --tokenizer --verify -t 2
  if is_json "$dir/out"; then ok "$file json valid"; else not_ok "$file json valid"; fi
  case $checks in *exact_u64*)
    if grep -q 4294967295 "$dir/out"; then ok "$file exact u64"; else not_ok "$file exact u64"; fi
    ;;
  esac
  survives "$file quant" "$BUILD/asan/gguf-quant" "$f" "$dir/out.gguf" Q8_0 --force -t 2
done <"$dir/list"
exit $bad
