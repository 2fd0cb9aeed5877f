gguf-quant --dry-run --pure fixtures/shakespeare-f16.gguf Q4_K_M
