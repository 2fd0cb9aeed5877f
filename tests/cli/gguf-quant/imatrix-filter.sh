# needs shared
for o in --include-weights --exclude-weights; do
  gguf-quant --dry-run --json $o ffn_down --imatrix $SHARED/golden-eval/shakespeare-imatrix.dat fixtures/shakespeare-f16.gguf Q4_0 |
    node -e 'const j = JSON.parse(require("fs").readFileSync(0)); console.log(j.imatrix.entries, j.tensors.filter((t) => t.importance).length)'
done
gguf-quant --dry-run --include-weights x fixtures/shakespeare-f16.gguf Q4_0
