gguf-quant --dry-run --tensor-type 'ffn(=q8_0' fixtures/shakespeare-f16.gguf Q4_K_M
