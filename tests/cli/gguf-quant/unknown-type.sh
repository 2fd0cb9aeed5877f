gguf-quant fixtures/shakespeare-f16.gguf $TMP/out.gguf Q9_Z
