gguf-quant --json fixtures/shakespeare-f16.gguf $TMP/out.gguf Q4_K_M | node -e '
const j = JSON.parse(require("fs").readFileSync(0));
console.log(j.type, j.file_type, j.dry_run, j.output_bytes, j.verified, j.tensors.length, j.fallbacks.length);
console.log(j.tensors[0].name, j.tensors[0].from, j.tensors[0].type, j.tensors[0].relative_rmse > 0.01);
console.log(j.types.map((t) => t.type + " " + t.tensors).join(", "));'
