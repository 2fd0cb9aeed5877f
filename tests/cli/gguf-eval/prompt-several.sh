cp fixtures/shakespeare-f16.gguf $TMP/copy.gguf
gguf-eval fixtures/shakespeare-f16.gguf $TMP/copy.gguf --prompt 'ROMEO:
' -n 24
