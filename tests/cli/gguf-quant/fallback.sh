# needs shared
gguf-quant $SHARED/models/stories260K.gguf $TMP/out.gguf Q4_K_M
