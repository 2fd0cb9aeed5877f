gguf-quant fixtures/shakespeare-f16.gguf $TMP/out.gguf Q5_K_M
