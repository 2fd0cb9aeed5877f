# A NaN in the base is found before its row is encoded.
cp fixtures/shakespeare-f16.gguf $TMP/nan.gguf
offset=$(gguf-info --json $TMP/nan.gguf | node -e 'const j = JSON.parse(require("fs").readFileSync(0)); console.log(j.tensors.find((t) => t.name === "blk.0.ffn_up.weight").offset + 2 * 1000)')
printf '\000\176' | dd of=$TMP/nan.gguf bs=1 seek=$offset conv=notrunc 2>/dev/null
gguf-eval -q $TMP/nan.gguf -f fixtures/shakespeare-heldout.txt --sweep Q4_K_M
