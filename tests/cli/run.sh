#!/bin/sh
# The command line, exactly: tests/cli/PROGRAM/CASE.sh with CASE.stdout, CASE.stderr (none:
# empty) and CASE.exit (none: 0). A case whose first line is "# needs shared" is skipped
# where ../shared is absent. `tests/cli/run.sh --bless [PROGRAM/CASE]` writes the
# expectations anew.
cd "$(dirname "$0")/../.." || exit 2
: "${BUILD:=build}"
case $BUILD in /*) ;; *) BUILD=$PWD/$BUILD ;; esac
PATH=$BUILD:$PATH SHARED=../shared LC_ALL=C
export PATH SHARED LC_ALL
for p in gguf-info gguf-quant gguf-size gguf-eval gguf-imatrix; do
  command -v $p >/dev/null || { echo "not ok cli: $p is not built" && exit 1; }
done
only=""
[ "$1" != --bless ] || only=$2
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
bad=0

expect() { # expect WHAT FOUND EXPECTATION-FILE
  if [ -e "$3" ]; then diff -u "$3" "$2"; else diff -u /dev/null "$2"; fi
}
bless() { # bless CASE EXIT
  for s in stdout stderr; do
    if [ -s "$out/$s" ]; then cp "$out/$s" "$1.$s"; else rm -f "$1.$s"; fi
  done
  if [ "$2" -ne 0 ]; then echo "$2" >"$1.exit"; else rm -f "$1.exit"; fi
}

for sh in tests/cli/${only:-*/*}.sh; do
  case=${sh%.sh}
  name=${case#tests/cli/}
  if [ ! -d "$SHARED" ] && head -n 1 "$sh" | grep -q '# needs shared'; then
    echo "skip $name: no ../shared"
    continue
  fi
  rm -rf "$out/tmp" && mkdir "$out/tmp"
  TMP=$out/tmp sh "$sh" >"$out/stdout" 2>"$out/stderr" </dev/null
  code=$?
  sed -i "s|$out/tmp|TMP|g" "$out/stdout" "$out/stderr"
  if [ "$1" = --bless ]; then
    bless "$case" "$code"
    continue
  fi
  want=0
  [ ! -e "$case.exit" ] || want=$(cat "$case.exit")
  if expect stdout "$out/stdout" "$case.stdout" && expect stderr "$out/stderr" "$case.stderr" &&
    [ "$code" -eq "$want" ]; then
    echo "ok $name"
  else
    echo "not ok $name (exit $code, expected $want)"
    bad=1
  fi
done
exit $bad
