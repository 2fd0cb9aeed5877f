#!/bin/sh
# What gguf-quant writes opens in other people's programs: @huggingface/gguf reads it and
# llama.cpp, as packaged in node-llama-cpp, generates from it. All types, two real models.
# The packages are installed once into the build folder; without them, and without the
# registry, the checks are skipped.
cd "$(dirname "$0")/../.." || exit 2
: "${BUILD:=build}"
case $BUILD in /*) ;; *) BUILD=$PWD/$BUILD ;; esac
node=$BUILD/node
mkdir -p "$node"
if ! cmp -s tests/interop/package.json "$node/package.json" || [ ! -e "$node/.installed" ]; then
  cp tests/interop/package.json "$node/package.json"
  if (cd "$node" && npm install --ignore-scripts --omit=optional --no-audit --no-fund --no-package-lock) >"$node/log" 2>&1; then
    touch "$node/.installed"
  else
    tail -n 3 "$node/log"
    rm -f "$node/package.json"
    echo "skip interop: the npm packages cannot be installed"
    exit 0
  fi
fi
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
bad=0

# count FIELD: of gguf-info's JSON on standard input
count() { node -e 'const j = JSON.parse(require("fs").readFileSync(0, "utf8")); console.log(j[process.argv[1]].length)' "$1"; }

for model in fixtures/shakespeare-f16.gguf ../shared/models/stories260K.gguf; do
  name=$(basename "$model" .gguf)
  if [ ! -e "$model" ]; then
    echo "skip interop $name: no ../shared/models"
    continue
  fi
  for type in $("$BUILD/gguf-quant" --list | awk '$1 ~ /^[A-Z]+[0-9]/ {print $1}'); do
    out=$dir/$name-$type.gguf
    if ! "$BUILD/gguf-quant" -q --allow-requantize "$model" "$out" "$type" >"$dir/log" 2>&1; then
      cat "$dir/log"
      echo "not ok interop $name $type: gguf-quant failed"
      bad=1
      continue
    fi
    "$BUILD/gguf-info" --json --metadata --tensors "$out" >"$dir/json"
    printf '%s\t%s\t%s\t%s\n' "$name $type" "$out" "$(count metadata <"$dir/json")" "$(count tensors <"$dir/json")" >>"$dir/list"
  done
done
node tests/interop/interop.mjs "$dir/list" "$node" 2>"$dir/err" || { tail -n 5 "$dir/err" && bad=1; }
exit $bad
