#!/bin/sh
# gguf-quant on a failing system: calls that fail one after the other (faultio.so), full
# disks, signals. Its output is complete or absent, and the older file stays.
cd "$(dirname "$0")/../.." || exit 2
: "${BUILD:=build}"
case $BUILD in /*) ;; *) BUILD=$PWD/$BUILD ;; esac
model=fixtures/shakespeare-f16.gguf
quant=$BUILD/gguf-quant
faultio=$BUILD/faultio.so
runs=60 # at most, for each function and error
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
export LC_ALL=C OMP_NUM_THREADS=1
bad=0

ok() { echo "ok faults $1"; }
not_ok() { echo "not ok faults $1: $2" && bad=1; }
skip() { echo "skip faults $1: $2"; }

for need in "$quant" "$faultio" "$model"; do
  [ -e "$need" ] || { not_ok setup "$need is missing" && exit 1; }
done
ENOSPC=28 EIO=5 ENOMEM=12 # Linux
if [ "$(uname -s)" != Linux ]; then
  skip all "not Linux"
  exit 0
fi
if ldd "$quant" 2>/dev/null | grep -q libasan; then
  skip all "the program has a sanitizer, which replaces malloc itself"
  exit 0
fi

# quantize FOLDER: makes FOLDER/out.gguf; the exit code is in $rc
quantize() {
  "$quant" -q --force "$model" "$1/out.gguf" Q4_0 -t 1 >"$dir/stdout" 2>"$dir/stderr"
  rc=$?
}

# with_fault CALL ERRNO N: quantizes while the Nth call fails
with_fault() {
  rm -f "$dir/log"
  FAULT_CALL=$1 FAULT_ERRNO=$2 FAULT_AT=$3 FAULT_LOG=$dir/log LD_PRELOAD=$faultio \
    "$quant" -q $force "$model" "$out/out.gguf" Q4_0 -t 1 >"$dir/stdout" 2>"$dir/stderr"
  rc=$?
}
fired() { grep -q '^fired' "$dir/log" 2>/dev/null; }
calls() { sed -n 's/^calls //p' "$dir/log" 2>/dev/null | tail -n 1; }

# What is in $out besides out.gguf.
leftovers() { find "$out" -mindepth 1 ! -name out.gguf | head -n 3; }
is_new() { cmp -s "$out/out.gguf" "$dir/new.gguf"; }
is_old() {
  if [ "$force" ]; then cmp -s "$out/out.gguf" "$dir/old.gguf"; else [ ! -e "$out/out.gguf" ]; fi
}
reset() {
  rm -rf "$out"
  mkdir "$out"
  [ -z "$force" ] || cp "$dir/old.gguf" "$out/out.gguf"
}

# Says what is wrong after a run with a fault; nothing if all is well. STRICT: the fault
# cannot be harmless.
judge() { # judge STRICT
  if [ "$rc" -gt 125 ]; then
    echo "exit $rc"
  elif [ "$rc" -eq 0 ] && [ "$1" = strict ]; then
    echo "exit 0 in spite of the fault"
  elif [ "$rc" -eq 0 ] && ! is_new; then
    echo "exit 0, and the output is not complete"
  elif [ "$rc" -ne 0 ] && ! is_old && ! is_new; then
    echo "the older file is damaged"
  elif [ "$rc" -ne 0 ] && ! [ -s "$dir/stderr" ]; then
    echo "exit $rc without a message"
  elif [ "$(leftovers)" ]; then
    echo "left behind: $(leftovers)"
  fi
}

# sweep NAME CALL ERRNO STRICT: fails one call after the other until a run has none left
sweep() {
  reset
  with_fault "$2" 0 0
  total=$(calls)
  if [ "$rc" -ne 0 ] || [ "${total:-0}" -eq 0 ]; then
    not_ok "$1" "exit $rc and ${total:-no} calls of $2 without a fault"
    return
  fi
  step=$((total / runs + 1))
  n=1
  while [ "$n" -le "$total" ]; do
    reset
    with_fault "$2" "$3" "$n"
    wrong=$(judge "$4")
    fired || wrong="call $n of $total did not come"
    if [ "$wrong" ]; then
      not_ok "$1" "call $n of $total: $wrong: $(tail -n 1 "$dir/stderr")"
      return
    fi
    if [ "$n" -lt "$total" ] && [ $((n + step)) -gt "$total" ]; then n=$total; else n=$((n + step)); fi
  done
  ok "$1"
}

# The complete new file, and an older one that differs.
out=$dir/out
force=--force
mkdir "$out"
quantize "$out"
[ "$rc" -eq 0 ] || { not_ok setup "exit $rc: $(tail -n 1 "$dir/stderr")" && exit 1; }
mv "$out/out.gguf" "$dir/new.gguf"
head -c 100000 "$model" >"$dir/old.gguf"

sweep "posix_fallocate ENOSPC" posix_fallocate $ENOSPC strict
sweep "posix_fallocate EIO" posix_fallocate $EIO strict
sweep "pwrite ENOSPC" pwrite $ENOSPC strict
sweep "pwrite EIO" pwrite $EIO strict
sweep "fsync EIO" fsync $EIO strict
sweep "fsync ENOSPC" fsync $ENOSPC strict
sweep "rename EIO" rename $EIO strict
sweep "rename ENOSPC" rename $ENOSPC strict
sweep "close EIO" close $EIO harmless
sweep "close ENOSPC" close $ENOSPC harmless
sweep "malloc ENOMEM" malloc $ENOMEM harmless
sweep "calloc ENOMEM" calloc $ENOMEM harmless
sweep "realloc ENOMEM" realloc $ENOMEM harmless
force=
sweep "link EIO" link $EIO harmless
sweep "link ENOSPC" link $ENOSPC harmless
force=--force

# An error of the close() that ends the output is an error of the run: of the calls of
# close some must not be harmless.
closes_count() {
  reset
  with_fault close 0 0
  total=$(calls) n=1 failed=0
  while [ "$n" -le "$total" ]; do
    with_fault close $EIO "$n"
    [ "$rc" -eq 0 ] || failed=$((failed + 1))
    n=$((n + 1))
  done
  [ "$failed" -gt 0 ]
}
if closes_count; then ok "close of the output counts"; else not_ok "close of the output counts" "every run exits 0"; fi

# ---- Signals: the program sleeps at a write in the middle ---------------------------------

# signalled SIGNAL CODE CALL N
signalled() {
  reset
  rm -f "$dir/log"
  FAULT_CALL=$3 FAULT_AT=$4 FAULT_SLEEP=20 FAULT_LOG=$dir/log LD_PRELOAD=$faultio \
    "$quant" -q --force "$model" "$out/out.gguf" Q4_0 -t 1 >/dev/null 2>"$dir/stderr" &
  pid=$!
  tries=0
  until fired || [ "$tries" -ge 100 ]; do
    sleep 0.1
    tries=$((tries + 1))
  done
  kill -s "$1" "$pid"
  wait "$pid" 2>/dev/null
  rc=$?
  if ! fired; then
    not_ok "$1 at $3 $4" "the call did not come"
  elif [ "$rc" -ne "$2" ]; then
    not_ok "$1 at $3 $4" "exit $rc, expected $2"
  elif ! is_old; then
    not_ok "$1 at $3 $4" "the older file is damaged"
  elif [ "$1" != KILL ] && [ "$(leftovers)" ]; then
    not_ok "$1 at $3 $4" "left behind: $(leftovers)"
  else
    ok "$1 at $3 $4"
  fi
}
signalled TERM 143 pwrite 1
signalled TERM 143 pwrite 5
signalled TERM 143 fsync 1
signalled HUP 129 pwrite 3
signalled KILL 137 pwrite 1
signalled KILL 137 pwrite 5
signalled KILL 137 fsync 1

# ---- Full disks -----------------------------------------------------------------------------

if [ -c /dev/full ]; then
  "$quant" --list >/dev/full 2>"$dir/stderr"
  rc=$?
  if [ "$rc" -eq 2 ] && [ -s "$dir/stderr" ]; then ok "stdout full"; else not_ok "stdout full" "exit $rc"; fi
else
  skip "stdout full" "no /dev/full"
fi

# In a mount namespace of its own, a file system of 1 MiB; the output needs more.
full_disk() {
  mkdir -p "$dir/small"
  export quant model dir
  unshare -m sh -c '
    mount -t tmpfs -o size=1m tmpfs "$dir/small" || exit 99
    head -c 100000 "$dir/old.gguf" >"$dir/small/out.gguf"
    "$quant" -q --force "$model" "$dir/small/out.gguf" Q4_0 -t 1 2>"$dir/stderr"
    echo "exit $?"
    cmp -s "$dir/old.gguf" "$dir/small/out.gguf" && echo "old"
    [ "$(ls -A "$dir/small")" = out.gguf ] && echo "alone"' >"$dir/report" 2>/dev/null
}
if ! unshare -m true 2>/dev/null; then
  skip tmpfs "no mount namespace"
else
  full_disk
  rc=$?
  if [ "$rc" -eq 99 ]; then
    skip tmpfs "cannot mount a tmpfs"
  elif [ "$(tr '\n' ' ' <"$dir/report")" = "exit 2 old alone " ] && grep -q 'space' "$dir/stderr"; then
    ok tmpfs
  else
    not_ok tmpfs "$(tr '\n' ' ' <"$dir/report"): $(tail -n 1 "$dir/stderr")"
  fi
fi
exit $bad
