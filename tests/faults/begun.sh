#!/bin/sh
# begun.sh NAME FOLDER COMMAND...: COMMAND writes a file into FOLDER (which is emptied) and takes
# a while. It gets a signal once it has the output open, which /proc tells.
#   HUP, INT where they are ignored (nohup, a background job), and PIPE, of a reader that has gone:
#   the run goes on, and ends with 0 and the file.
# A limit of the size of files (SIGXFSZ) is an error that is told, exit 2, and leaves nothing.
name=$1 folder=$2
shift 2
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
bad=0
tell() { # tell WHAT WRONG: `WRONG` empty is good
  [ -z "$2" ] || bad=1
  if [ -z "$2" ]; then echo "ok $name: $1"; else echo "not ok $name: $1: $2"; fi
}
left() { find "$folder" -mindepth 1 | tr '\n' ' '; }
empty() { mkdir -p "$folder" && find "$folder" -mindepth 1 -delete; }
state() { (cd "$folder" && find . -type f -exec cksum {} +); }

empty
"$@" >"$scratch/log" 2>&1 || { tell "runs" "$(tail -n 1 "$scratch/log")" && exit 1; }
state >"$scratch/good"

empty
(ulimit -f 8 && exec "$@") >"$scratch/log" 2>&1
rc=$?
wrong=
[ "$rc" -eq 2 ] || wrong="exit $rc"
grep -q 'File too large' "$scratch/log" || wrong="$wrong, said $(tail -n 1 "$scratch/log")"
[ -z "$(left)" ] || wrong="$wrong, left $(left)"
tell "a file over the limit of sizes" "$wrong"

[ -d /proc/self/fd ] || { echo "skip $name, signals: no /proc" && exit $bad; }

# strike SIGNAL COMMAND...: its exit code; the file $scratch/struck exists if the signal struck
strike() {
  rm -f "$scratch/struck"
  empty
  strike_signal=$1
  shift
  "$@" >"$scratch/log" 2>&1 &
  while kill -0 $! 2>/dev/null; do
    find "/proc/$!/fd" -lname "$(realpath "$folder")/*" 2>/dev/null | grep -q . || continue
    kill -s "$strike_signal" $! 2>/dev/null && touch "$scratch/struck"
    break
  done
  wait $!
}

for signal in HUP INT PIPE; do
  trap '' HUP INT # a program keeps what its parent ignores
  strike $signal "$@"
  rc=$?
  trap - HUP INT
  wrong=
  [ "$rc" -eq 0 ] || wrong="exit $rc"
  state | cmp -s - "$scratch/good" || wrong="$wrong, left $(left)"
  if [ -z "$wrong" ] && [ ! -e "$scratch/struck" ]; then
    echo "skip $name, ignored $signal: every run was done before"
  else
    tell "goes on after $signal" "$wrong"
  fi
done
exit $bad
