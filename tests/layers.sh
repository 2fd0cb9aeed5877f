#!/bin/sh
# Imports go down only: libgguf < quant < model < tools. Includes are rooted. A floor above sees
# the public headers: libgguf/gguf.h, quant/quant.h, and of model/ model.h, hparams.h, tokenizer.h,
# metrics.h and capture.h. Besides these it may use what has no state: checked.h (arithmetic),
# utf8.h, error.h (how the libraries fill an error), and from quant/ for model/ fp.h, levels.h and
# the lanes and levels of the kernels.
cd "$(dirname "$0")/.." || exit 2
bad=0

# forbid FILES-GLOB REGEX WHY
forbid() {
  grep -nP "$2" $1 /dev/null
  case $? in
    1) echo "ok layers: $3" ;;
    *) echo "not ok layers: $3" && bad=1 ;;
  esac
}
forbid "libgguf/*.[ch]" '^#include "(quant|model|tools|tests)/' "libgguf includes nothing above it"
forbid "quant/*.[ch] quant/kernels/*.[ch]" '^#include "(model|tools|tests)/' "quant includes nothing above it"
forbid "quant/*.[ch] quant/kernels/*.[ch]" '^#include "libgguf/(?!(gguf|checked|utf8|error)\.h)' "quant sees only the public header of libgguf"
forbid "model/*.[ch] model/kernels/*.[ch]" '^#include "(tools|tests)/' "model includes nothing above it"
forbid "model/*.[ch] model/kernels/*.[ch]" '^#include "(libgguf/(?!(gguf|checked|utf8|error)\.h)|quant/(?!(quant|levels|fp|kernels/lanes|kernels/level)\.h))' "model sees only public headers below it"
forbid "tools/*/*.[ch]" '^#include "(tests/|libgguf/(?!(gguf|checked|utf8)\.h)|quant/(?!quant\.h)|model/(?!(model|hparams|tokenizer|metrics|capture)\.h))' "tools see only public headers"
forbid "libgguf/*.[ch] quant/*.[ch] quant/kernels/*.[ch] model/*.[ch] model/kernels/*.[ch] tools/*/*.[ch]" '^#include "[^/]*"' "includes are rooted"
forbid "libgguf/*.c quant/*.c quant/kernels/*.c model/*.c model/kernels/*.c" '\b(printf|puts|putchar|exit|abort|_exit)\(|\bstd(out|err)\b' "libraries never print or exit"
exit $bad
