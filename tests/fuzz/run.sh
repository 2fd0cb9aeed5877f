#!/bin/sh
# run.sh: a short run of every fuzz target with a driver of our own, under the sanitizers; the
# same inputs every time. run.sh SECONDS: libFuzzer, as many seconds for each target; what it
# learns stays in BUILD/fuzz/corpus for the next time. An input that breaks something is kept
# beside it: give its path to the target to see it again.
cd "$(dirname "$0")/../.." || exit 2
: "${BUILD:=build}" "${SHARED:=../shared}"
case $BUILD in /*) ;; *) BUILD=$PWD/$BUILD ;; esac
seconds=$1
bad=0
root=$PWD
# A target that needs a file makes it in the working folder.
scratch=/dev/shm
[ -w $scratch ] || scratch=$BUILD
targets=$(ls tests/fuzz/fuzz_*.c | sed 's|.*/fuzz_\(.*\)\.c|\1|')
export ASAN_OPTIONS=abort_on_error=1 UBSAN_OPTIONS=abort_on_error=1:print_stacktrace=1

# seeds TARGET: files to begin with besides the target's own
seeds() {
  [ "$1" = blocks ] || [ "$1" = model ] || ls "$root/$SHARED"/corpus/gguf/*.gguf 2>/dev/null
}
# short TARGET
short() {
  crash=$BUILD/fuzz-crash-$1
  rm -f "$crash"
  # shellcheck disable=SC2046
  (cd "$scratch" && timeout 120 "$BUILD/asan/fuzz/$1" --runs 2000 --crash "$crash" &&
    { [ -z "$(seeds "$1")" ] ||
      timeout 120 "$BUILD/asan/fuzz/$1" --runs 1000 --crash "$crash" $(seeds "$1"); })
}
# long TARGET
long() {
  flags="-O1 -g -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all"
  corpus=$BUILD/fuzz/corpus/$1
  mkdir -p "$corpus"
  "$BUILD/asan/fuzz/$1" --write-seeds "$corpus" || return 1
  seeds "$1" | while read -r file; do cp -f "$file" "$corpus"; done
  make -s -j2 --no-print-directory BUILD="$BUILD/fuzz" CC=clang CFLAGS="$flags" \
    LDFLAGS=-fsanitize=fuzzer FUZZ_MAIN= "$BUILD/fuzz/fuzz/$1" &&
    (cd "$scratch" && "$BUILD/fuzz/fuzz/$1" -max_total_time="$seconds" -timeout=20 -rss_limit_mb=2048 \
      -max_len=65536 -print_final_stats=1 -artifact_prefix="$BUILD/fuzz/$1-" "$corpus")
}

if [ -n "$seconds" ] && ! command -v clang >/dev/null 2>&1; then
  echo "run.sh: libFuzzer needs clang" >&2
  exit 2
fi
make -s -j2 --no-print-directory BUILD="$BUILD" fuzz-asan || exit 2
for target in $targets; do
  if if [ -n "$seconds" ]; then long "$target"; else short "$target"; fi; then
    echo "ok fuzz: $target"
  else
    echo "not ok fuzz: $target"
    bad=1
  fi
done
exit $bad
