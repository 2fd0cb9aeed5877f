gguf-quant no-such-file.gguf $TMP/out.gguf Q8_0
