#!/bin/sh
# The kernels give the same bytes at every level of the processor, built by gcc or by clang,
# on x86-64 and on AArch64 (under qemu-user where this machine is another).
cd "$(dirname "$0")/.." || exit 2
: "${BUILD:=build}" "${CC:=cc}"
case $BUILD in /*) ;; *) BUILD=$PWD/$BUILD ;; esac
out=$BUILD/digests
bad=0
mkdir -p "$out"

ok() { echo "ok $1"; }
not_ok() {
  echo "not ok $1"
  bad=1
}
# build NAME [VARIABLE=VALUE]...: checkquant and checkproducts in a build folder of its own
build() {
  name=$1
  shift
  make -s -j2 --no-print-directory BUILD="$out/$name" "$@" "$out/$name/checkquant" "$out/$name/checkproducts"
}
# check NAME SUBJECT EMULATOR LEVEL: runs both, compares with the digests of this build
# shellcheck disable=SC2086 # none, one or two words
check() {
  name=$1 subject=$2
  if $3 "$out/$name/checkquant" --quick $4 >"$out/$name.txt" &&
    $3 "$out/$name/checkproducts" $4 >>"$out/$name.txt" 2>"$out/$name.sets" &&
    diff "$out/native.txt" "$out/$name.txt"; then
    ok "$subject"
  else
    not_ok "$subject"
  fi
}

make -s -j2 --no-print-directory BUILD="$BUILD" "$BUILD/checkquant" "$BUILD/checkproducts" || exit 2
if "$BUILD/checkquant" >"$out/all.txt" && [ -s "$out/all.txt" ]; then
  ok "kernels: every level gives the bytes of the scalar code"
else
  not_ok "kernels: every level gives the bytes of the scalar code"
fi
"$BUILD/checkquant" --quick >"$out/native.txt"
if "$BUILD/checkproducts" >>"$out/native.txt" 2>"$out/native.sets"; then
  ok "products: every set of instructions gives the bytes of the loop in C"
else
  not_ok "products: every set of instructions gives the bytes of the loop in C"
  cat "$out/native.sets"
fi

if "$CC" --version | grep -q clang; then other=gcc; else other=clang; fi
subject="kernels: $other gives the bytes of $CC"
if ! command -v $other >/dev/null 2>&1; then
  echo "skip $subject: $other is not installed"
elif build $other CC=$other; then
  check $other "$subject" "" ""
else
  not_ok "$subject"
fi

# xxhash.h is the host's: a header alone, the same everywhere.
subject="kernels: AArch64 with NEON gives the bytes of this machine"
cross=aarch64-linux-gnu-gcc
emulator=$(command -v qemu-aarch64-static || command -v qemu-aarch64)
if [ "$(uname -m)" = aarch64 ]; then
  echo "skip $subject: this machine is one"
elif ! command -v $cross >/dev/null 2>&1 || [ -z "$emulator" ]; then
  echo "skip $subject: needs $cross and qemu-aarch64"
elif build aarch64 CC=$cross CPPFLAGS="-idirafter /usr/include" LDFLAGS=-static; then
  check aarch64 "$subject" "$emulator" "--cpu neon"
  # A processor without the dot products of ARMv8.2.
  subject="products: AArch64 without dotprod gives the bytes of this machine"
  if [ "$("$emulator" -cpu cortex-a53 "$out/aarch64/checkproducts" 2>/dev/null)" = \
    "$(grep products "$out/native.txt")" ]; then
    ok "$subject"
  else
    not_ok "$subject"
  fi
else
  not_ok "$subject"
fi
exit $bad
