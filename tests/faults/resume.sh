#!/bin/sh
# resume.sh: gguf-imatrix is interrupted again and again and goes on with --resume each time,
# until a run ends by itself: the file is then that of one run. INT, TERM and HUP: exit code
# 128 + number, no temporary file is left, and what was counted is in the output, or there is
# no output. KILL: the output is absent or whole.
cd "$(dirname "$0")/../.." || exit 2
: "${BUILD:=build}"
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
bad=0
model=fixtures/shakespeare-f16.gguf text=$dir/text
head -c 20000 fixtures/shakespeare-heldout.txt >"$text"

set -- "$BUILD/gguf-imatrix" -q --chunk 64 --save-every 1 -f "$text" --resume "$model" -o
"$@" "$dir/once.gguf" 2>"$dir/log" || { cat "$dir/log" && exit 1; }
chunks_of() { "$BUILD/gguf-info" --metadata "$1" 2>>"$dir/log" | awk '/chunks_done/ { print $3 }'; }

# judge SIGNAL EXIT-CODE EXPECTED-CODE CHUNKS-BEFORE: what is wrong, or nothing
judge() {
  [ "$1" = KILL ] || [ -z "$(find "$dir/o" -name '.*' -type f)" ] || echo "a temporary file is left"
  [ "$2" -eq 0 ] || [ "$2" -eq "$3" ] || echo "exit $2: $(tail -n 1 "$dir/log")"
  [ -e "$dir/o/out.gguf" ] || { [ "$2" -eq 0 ] && echo "exit 0 and no file"; return; }
  now=$(chunks_of "$dir/o/out.gguf")
  [ "${now:-0}" -ge "$4" ] && [ "${now:-0}" -ge 1 ] || echo "$now chunks after $4: $(tail -n 1 "$dir/log")"
}

for signal in HUP:129 INT:130 TERM:143 KILL:137; do
  rm -rf "$dir/o" && mkdir "$dir/o"
  struck=0 delay=20 before=0 rc=1 wrong=
  while [ "$rc" -ne 0 ] && [ -z "$wrong" ] && [ "$struck" -lt 60 ]; do
    timeout --preserve-status -s "${signal%:*}" "${delay}e-3" "$@" "$dir/o/out.gguf" 2>"$dir/log"
    rc=$?
    [ "$rc" -eq 0 ] || struck=$((struck + 1))
    wrong=$(judge "${signal%:*}" "$rc" "${signal#*:}" "$before")
    before=$(chunks_of "$dir/o/out.gguf")
    : "${before:=0}"
    delay=$((delay + delay / 2))
  done
  if [ -n "$wrong" ]; then
    echo "not ok gguf-imatrix --resume: ${signal%:*}, run $struck: $wrong" && bad=1
  elif ! cmp -s "$dir/o/out.gguf" "$dir/once.gguf"; then
    echo "not ok gguf-imatrix --resume: ${signal%:*} $struck times: not the file of one run" && bad=1
  elif [ "$struck" -eq 0 ]; then
    echo "skip gguf-imatrix --resume ${signal%:*}: the run was done before"
  else
    echo "ok gguf-imatrix --resume: ${signal%:*}, $struck times"
  fi
done
exit $bad
