# needs shared
gguf-quant --imatrix $SHARED/recipes/a_llama8.imatrix.gguf fixtures/shakespeare-f16.gguf $TMP/out.gguf Q4_0
