#!/bin/sh
# deps.sh build|test|lint: installs the packages that are missing. Silent where nothing
# is; without the rights to install, names them and fails.
what=${1:-build}
cc=${CC:-cc}
missing="" wanted=""

# need_header HEADER DEBIAN-PACKAGE
need_header() {
  printf '#include <stddef.h>\n#include <stdarg.h>\n#include <stdint.h>\n#include <setjmp.h>\n%s\n#include <%s>\n' "$3" "$1" |
    "$cc" -E -x c - >/dev/null 2>&1 || missing="$missing $2"
}
# want_header HEADER DEBIAN-PACKAGE: installed where that is possible
want_header() {
  printf '#include <%s>\n' "$1" | "$cc" -E -x c - >/dev/null 2>&1 || wanted="$wanted $2"
}
# need_program PROGRAM DEBIAN-PACKAGE
need_program() {
  command -v "$1" >/dev/null 2>&1 || missing="$missing $2"
}
# want_program PROGRAM DEBIAN-PACKAGE...: not an error where it cannot be installed
want_program() {
  command -v "$1" >/dev/null 2>&1 || wanted="$wanted $2"
}

case $what in
build)
  command -v "$cc" >/dev/null 2>&1 || missing="$missing gcc"
  need_header xxhash.h libxxhash-dev
  need_header pcre2.h libpcre2-dev '#define PCRE2_CODE_UNIT_WIDTH 8'
  need_header utf8proc.h libutf8proc-dev
  need_header cjson/cJSON.h libcjson-dev
  need_header zlib.h zlib1g-dev
  ;;
test)
  need_header cmocka.h libcmocka-dev
  need_program node nodejs
  need_program npm npm
  need_program pkg-config pkg-config
  # Without these tests are skipped.
  want_program clang clang
  if [ "$(uname -m)" = x86_64 ]; then
    want_program aarch64-linux-gnu-gcc "gcc-aarch64-linux-gnu libc6-dev-arm64-cross"
    want_program qemu-aarch64-static qemu-user-static
  fi
  ;;
lint)
  need_program clang-tidy clang-tidy
  need_program clang-format clang-format
  need_program cppcheck cppcheck
  need_program ctags universal-ctags
  ;;
*)
  echo "usage: deps.sh build|test|lint" >&2
  exit 2
  ;;
esac
[ -z "$missing$wanted" ] && exit 0

as_root=""
if [ "$(id -u)" -ne 0 ]; then
  as_root="sudo -n"
  sudo -n true 2>/dev/null || as_root=none
fi
# install PACKAGE...
install() {
  [ $# -eq 0 ] && return 0
  [ "$as_root" != none ] && command -v apt-get >/dev/null 2>&1 || return 1
  echo "installing: $*"
  $as_root apt-get update -q -o Acquire::http::Timeout=20 >/dev/null &&
    $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "$@" >/dev/null
}
# shellcheck disable=SC2086
{
  install $wanted || echo "not installed, some tests will be skipped:$wanted" >&2
  install $missing && exit 0
}
if [ -z "$missing" ]; then
  echo "built without:$wanted" >&2
  exit 0
fi
echo "missing packages, and no way to install them from here:$missing" >&2
cat >&2 <<EOF
  Debian, Ubuntu: sudo apt-get install$missing
  Fedora:         sudo dnf install gcc xxhash-devel pcre2-devel utf8proc-devel cjson-devel zlib-devel libcmocka-devel nodejs-npm
  Arch:           sudo pacman -S gcc xxhash pcre2 libutf8proc cjson zlib cmocka npm
  Homebrew:       brew install gcc xxhash pcre2 utf8proc cjson cmocka node
EOF
exit 1
