cp fixtures/shakespeare-f16.gguf $TMP/copy.gguf
gguf-quant -q fixtures/shakespeare-f16.gguf $TMP/small.gguf Q2_K
gguf-eval fixtures/shakespeare-f16.gguf $TMP/copy.gguf $TMP/small.gguf --prompt 'ROMEO:
' -n 24
