gguf-quant fixtures/shakespeare-f16.gguf $TMP/out.gguf IQ2_XXS
