gguf-quant fixtures/shakespeare-f16.gguf $TMP Q8_0 --force
