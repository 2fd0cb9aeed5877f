#!/bin/sh
# `make demo`: what the programs do, on the model in fixtures/.
cd "$(dirname "$0")/.." || exit 2
: "${BUILD:=build}"
show() { # shows a command as it would be typed, then runs it
  printf '\n$ %s\n' "$*"
  PATH=$BUILD:$PATH "$@"
}
case $BUILD in /*) ;; *) BUILD=$PWD/$BUILD ;; esac
out=${BUILD#"$PWD"/}/shakespeare-Q4_K_M.gguf
show gguf-info fixtures/shakespeare-f16.gguf &&
  show gguf-quant --force fixtures/shakespeare-f16.gguf "$out" Q4_K_M &&
  show gguf-info --verify "$out" || exit
bin=${BUILD#"$PWD"/}
cat <<EOF

Next:
  $bin/gguf-info --tensors --stats $out
      every tensor and its numbers
  $bin/gguf-quant --list
      all types with their bits per weight
  $bin/gguf-quant --dry-run your-model-f16.gguf Q4_K_M
      types and exact size, nothing written
  $bin/gguf-quant your-model-f16.gguf out.gguf Q4_K_M
  make install PREFIX=\$HOME/.local
      programs, library and man pages
EOF
