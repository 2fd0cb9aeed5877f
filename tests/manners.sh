#!/bin/sh
# Every program: help, version, man page, completions, unknown options, full disk.
cd "$(dirname "$0")/.." || exit 2
: "${BUILD:=build}"
bad=0
check() { # check NAME COMMAND...
  name=$1
  shift
  if "$@"; then echo "ok $name"; else echo "not ok $name" && bad=1; fi
}
exits() { # exits CODE COMMAND...: its output is thrown away
  want=$1
  shift
  "$@" >/dev/null 2>&1
  [ $? -eq "$want" ]
}
same_options() { # help and man page name the same options
  a=$("$1" --help | sed '/^examples:/,$d' | sed -n '/^options:/,$p' | awk '{ for (i = 1; i <= 3; i++) if ($i ~ /^--/) { print $i; break } }' | sort -u)
  c=$("$1" --completion fish | grep -oE -- '-l [a-z-]+' | sed 's/-l /--/' | sort -u)
  b=$("$1" --man | sed 's/\\-/-/g' | sed -n '/^\.SH OPTIONS/,/^\.SH EXIT/p' | grep -A1 '^\.TP' | grep -oE -- '--[a-z][a-z-]+' | sort -u)
  [ -n "$a" ] && [ "$a" = "$b" ] && [ "$a" = "$c" ]
}
man_is_current() { "$BUILD/$1" --man | cmp -s - "docs/man/$1.1"; }
man_is_clean() { ! command -v man >/dev/null 2>&1 || [ -z "$(man --warnings -l "docs/man/$1.1" 2>&1 >/dev/null)" ]; }

for dir in tools/gguf-*/; do
  p=$(basename "$dir")
  bin=$BUILD/$p
  check "$p --help exits 0" exits 0 "$bin" --help
  check "$p -h is shorter than --help" [ "$("$bin" -h | wc -l)" -lt "$("$bin" --help | wc -l)" ]
  check "$p --version" [ "$("$bin" --version)" = "$p (ggufkit) $(sed -n 's/^.define GGUFKIT_VERSION "\(.*\)"/\1/p' libgguf/gguf.h)" ]
  check "$p help, man page and completions agree" same_options "$bin"
  check "$p man page is current (make man)" man_is_current "$p"
  check "$p man page has no warnings" man_is_clean "$p"
  check "$p without arguments exits 2" exits 2 "$bin"
  check "$p with an unknown option exits 2" exits 2 "$bin" --no-such-option
  check "$p bash completion is valid" sh -c "'$bin' --completion bash | bash -n"
  [ ! -e /dev/full ] || check "$p --help on a full disk exits 2" sh -c "'$bin' --help >/dev/full 2>/dev/null; [ \$? -eq 2 ]"
done
exit $bad
