# -v lists every tensor
gguf-quant -v --dry-run fixtures/shakespeare-f16.gguf Q4_K_M | head -n 15
gguf-quant -v --force fixtures/shakespeare-f16.gguf $TMP/out.gguf F32 | sed -n 3,8p
