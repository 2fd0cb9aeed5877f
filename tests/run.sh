#!/bin/sh
# run.sh UNIT-TEST...: runs the unit tests given as arguments, then every test script, and
# closes with "N passed, N failed". A script prints a line for each check: "ok NAME",
# "not ok NAME" or "skip NAME: REASON"; what it prints besides is shown when it fails.
cd "$(dirname "$0")/.." || exit 2
: "${BUILD:=build}"
case $BUILD in /*) ;; *) BUILD=$PWD/$BUILD ;; esac
export BUILD SHARED=../shared LC_ALL=C
passed=0 failed=0 skipped=0
log=$(mktemp)
trap 'rm -f "$log"' EXIT

# count OUTPUT-PATTERN: lines of the log that match
count() { grep -c -E "$1" "$log"; }

for t in "$@"; do
  "$t" >"$log" 2>&1
  rc=$?
  p=$(sed -n 's/.*\[  PASSED  \] \([0-9]*\) test.*/\1/p' "$log" | head -n 1)
  f=$(sed -n 's/.*\[  FAILED  \] \([0-9]*\) test.*/\1/p' "$log" | head -n 1)
  s=$(sed -n 's/.*\[  SKIPPED \] \([0-9]*\) test.*/\1/p' "$log" | head -n 1)
  passed=$((passed + ${p:-0})) failed=$((failed + ${f:-0})) skipped=$((skipped + ${s:-0}))
  [ -z "$s" ] || sed -n "s/^\[  SKIPPED \] \([a-z].*\)/skip $(basename "$t") \1/p" "$log"
  if [ "$rc" -ne 0 ]; then
    cat "$log"
    [ -n "$f" ] || failed=$((failed + 1))
  fi
done

for script in tests/layers.sh tests/manners.sh tests/install.sh tests/docs.sh tests/cli/run.sh \
  tests/corpus.sh tests/digests.sh tests/fuzz/run.sh tests/faults/faults.sh tests/remote/run.sh \
  tests/interop/run.sh; do
  "$script" >"$log" 2>&1
  rc=$?
  f=$(count '^not ok ')
  passed=$((passed + $(count '^ok '))) failed=$((failed + f)) skipped=$((skipped + $(count '^skip ')))
  grep '^skip ' "$log"
  if [ "$f" -ne 0 ] || [ "$rc" -ne 0 ]; then
    grep -v '^ok ' "$log"
    [ "$f" -ne 0 ] || { echo "$script: exit $rc" && failed=$((failed + 1)); }
  fi
done

[ "$skipped" -eq 0 ] || echo "skipped: $skipped"
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
