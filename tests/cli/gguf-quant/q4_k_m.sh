gguf-quant -q fixtures/shakespeare-f16.gguf $TMP/out.gguf q4_k && gguf-info --verify $TMP/out.gguf && wc -c < $TMP/out.gguf
