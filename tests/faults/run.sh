#!/bin/sh
# run.sh NAME FOLDER COMMAND...: output is complete or absent, whatever fails. COMMAND writes
# files into FOLDER (which is emptied) and overwrites what is there. It is run again and again
# while the 1st, 2nd, 3rd... call of one kind fails, until a run has no such call left; over
# nothing and over older files. A run that fails leaves the folder as it was: old files
# unchanged, no temporary file. A run that succeeds all the same leaves the right files.
# Prints "ok NAME ..." or "not ok NAME ..." for each kind of call. Needs $BUILD/faultio.so.
# FAULT_SKIP=8 leaves numbers out, more and more of them: N grows by 1 + N/8.
: "${BUILD:=build}" "${FAULT_SKIP:=1000000}"
case $BUILD in /*) ;; *) BUILD=$PWD/$BUILD ;; esac
name=$1 folder=$2
shift 2
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
bad=0

# Every file of the folder, hidden ones too, with its checksum.
state() { (cd "$folder" && find . -type f -exec cksum {} + | sort -k 3); }
empty() { find "$folder" -mindepth 1 -delete; }

mkdir -p "$folder"
empty
"$@" >"$scratch/log" 2>&1 || {
  echo "not ok $name: fails without any fault: $(tail -n 1 "$scratch/log")"
  exit 1
}
state >"$scratch/new"
[ -s "$scratch/new" ] || { echo "not ok $name: writes nothing" && exit 1; }

# Puts the folder into the state before a run: nothing, or older files of the same names.
prepare() {
  empty
  [ "$1" = over ] && (cd "$folder" && cut -d ' ' -f 3- "$scratch/new" | while read -r f; do echo old >"$f"; done)
  state >"$scratch/old"
}

# judge EXIT-CODE TOLERATED: what is wrong with the run that was hit, or nothing
judge() {
  state >"$scratch/now"
  if [ "$1" -eq 0 ]; then
    [ "$2" = yes ] || echo "exit 0"
    cmp -s "$scratch/now" "$scratch/new" || echo "exit 0 and wrong files"
  else
    [ "$1" -lt 128 ] || echo "exit $1"
    cmp -s "$scratch/now" "$scratch/old" || echo "exit $1, and left: $(diff "$scratch/old" "$scratch/now" | grep '^[<>]' | tr '\n' ' ')"
  fi
}

# fail_each CALL ERRNO TOLERATED ONCE-OR-ON COMMAND...
fail_each() {
  for before in empty over; do
    n=1 label="$name: $1 $2 $4, $before"
    while :; do
      prepare "$before"
      rm -f "$scratch/mark"
      (
        [ "$4" = once ] || export FAULT_ON=1
        export FAULT_CALL="$1" FAULT_AT="$n" FAULT_ERRNO="$2" FAULT_MARK="$scratch/mark"
        export LD_PRELOAD="$BUILD/faultio.so"
        shift 4
        exec timeout 60 "$@"
      ) >"$scratch/log" 2>&1
      rc=$?
      [ -e "$scratch/mark" ] || break
      wrong=$(judge "$rc" "$3")
      [ -z "$wrong" ] || break
      n=$((n + 1 + n / FAULT_SKIP))
    done
    if [ -e "$scratch/mark" ]; then
      echo "not ok $label, call $n: $wrong" && bad=1
    elif [ "$rc" -ne 0 ] || ! state | cmp -s - "$scratch/new"; then
      echo "not ok $label: fails without any fault" && bad=1
    elif [ "$n" -eq 1 ] && [ "$3" = no ]; then
      echo "not ok $label: has no such call" && bad=1
    else
      echo "ok $label"
    fi
  done
}

fail_each pwrite ENOSPC no once "$@"
fail_each pwrite EIO no on "$@"
fail_each pread EIO yes once "$@"
fail_each fallocate ENOSPC no once "$@"
fail_each fsync EIO no once "$@"
fail_each fsync EDQUOT no on "$@"
# other ways lead to the goal where there is no hard link, and an input may be closed badly
fail_each link EIO yes once "$@"
fail_each rename EIO yes once "$@"
fail_each close EIO yes once "$@"
fail_each write ENOSPC yes once "$@"
fail_each malloc ENOMEM yes once "$@"
fail_each malloc ENOMEM yes on "$@"
exit $bad
