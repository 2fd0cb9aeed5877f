#!/bin/sh
# make install into a folder, then a program built with pkg-config against the shared and
# the static library.
cd "$(dirname "$0")/.." || exit 2
: "${BUILD:=build}" "${CC:=cc}"
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
bad=0
check() {
  name=$1
  shift
  if "$@" >"$dir/log" 2>&1; then echo "ok install: $name"; else echo "not ok install: $name" && cat "$dir/log" && bad=1; fi
}
check "make install" make -s BUILD="$BUILD" PREFIX=/usr DESTDIR="$dir/root" install
for f in bin/gguf-info bin/gguf-quant lib/libgguf.a lib/libgguf.so include/libgguf/gguf.h \
  include/quant/quant.h include/model/model.h include/model/tokenizer.h lib/pkgconfig/libgguf.pc share/man/man1/gguf-info.1; do
  check "$f" test -s "$dir/root/usr/$f"
done
check "make install to a prefix" make -s BUILD="$BUILD" PREFIX="$dir/prefix" install
export PKG_CONFIG_PATH="$dir/prefix/lib/pkgconfig"
# shellcheck disable=SC2046
check "shared library" "$CC" -std=c11 docs/example.c -o "$dir/shared" $(pkg-config --cflags --libs libgguf)
check "example runs" env LD_LIBRARY_PATH="$dir/prefix/lib" "$dir/shared" fixtures/shakespeare-f16.gguf
# shellcheck disable=SC2046
check "static library" "$CC" -std=c11 docs/example.c -o "$dir/static" "$dir/prefix/lib/libgguf.a" $(pkg-config --cflags --libs --static libgguf)
# The headers of the library alone, as C and as they are installed.
for header in libgguf/gguf quant/quant model/model model/tokenizer model/metrics model/capture; do
  echo "#include <$header.h>" >"$dir/header.c"
  # shellcheck disable=SC2046
  check "$header.h stands alone" "$CC" -std=c11 -Wall -Wextra -Werror -fsyntax-only $(pkg-config --cflags libgguf) "$dir/header.c"
done
hidden() { ! nm -D --defined-only "$dir/prefix/lib/libgguf.so" | awk '{print $3}' | grep -vE '^(gguf|quant|model|tokenizer|token_list|metrics)_' | grep .; }
check "exports only its interface" hidden
check "make uninstall" make -s BUILD="$BUILD" PREFIX="$dir/prefix" uninstall
nothing_left() { [ -z "$(find "$dir/prefix" -type f)" ]; }
check "uninstall leaves nothing" nothing_left
exit $bad
