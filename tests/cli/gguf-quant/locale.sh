LC_ALL=de_DE.UTF-8 gguf-quant fixtures/shakespeare-f16.gguf $TMP/out.gguf Q4_0 | tail -n 1
