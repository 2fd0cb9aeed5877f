gguf-quant --dry-run fixtures/shakespeare-f16.gguf Q3_K_M
