#!/bin/sh
# signals.sh NAME FOLDER COMMAND...: COMMAND writes a file into FOLDER (which is emptied) and
# overwrites what is there. It is interrupted after various times. INT, TERM and HUP: exit
# code 128 + number and the folder as it was, or the run was done before. KILL: the older
# file is unchanged or the new one complete; hidden temporary files may be left.
name=$1 folder=$2
shift 2
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
bad=0

visible() { (cd "$folder" && find . -type f ! -name '.*' -exec cksum {} + | sort -k 3); }
hidden() { find "$folder" -type f -name '.*'; }
prepare() {
  find "$folder" -mindepth 1 -delete
  (cd "$folder" && cut -d ' ' -f 3- "$scratch/new" | while read -r f; do echo old >"$f"; done)
}

mkdir -p "$folder"
find "$folder" -mindepth 1 -delete
if ! "$@" >"$scratch/log" 2>&1; then
  echo "not ok $name: fails without any signal: $(tail -n 1 "$scratch/log")"
  exit 1
fi
visible >"$scratch/new"
prepare
visible >"$scratch/old"

# judge SIGNAL EXIT-CODE EXPECTED-CODE: what is wrong, or nothing
judge() {
  visible >"$scratch/now"
  [ "$1" = KILL ] || [ -z "$(hidden)" ] || echo "left $(hidden)"
  if [ "$2" -eq 0 ]; then
    cmp -s "$scratch/now" "$scratch/new" || echo "exit 0 and wrong files"
  elif [ "$2" -ne "$3" ]; then
    echo "exit $2"
  elif [ "$1" = KILL ] && cmp -s "$scratch/now" "$scratch/new"; then
    :
  else
    cmp -s "$scratch/now" "$scratch/old" || echo "the old file is not what it was"
  fi
}

for signal in HUP:129 INT:130 TERM:143 KILL:137; do
  struck=0 wrong=
  for delay in 0.005 0.01 0.02 0.03 0.05 0.07 0.1 0.15 0.2 0.3 0.5; do
    prepare
    timeout --preserve-status -s "${signal%:*}" "$delay" "$@" >"$scratch/log" 2>&1
    rc=$?
    [ "$rc" -eq 0 ] || struck=$((struck + 1))
    wrong=$(judge "${signal%:*}" "$rc" "${signal#*:}")
    [ -z "$wrong" ] || break
  done
  if [ -n "$wrong" ]; then
    echo "not ok $name: ${signal%:*} after $delay s: $wrong" && bad=1
  elif [ "$struck" -eq 0 ]; then
    echo "skip $name ${signal%:*}: every run was done before"
  else
    echo "ok $name: ${signal%:*}"
  fi
done
exit $bad
