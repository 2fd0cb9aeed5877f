gguf-eval fixtures/shakespeare-f16.gguf -f $TMP/none.txt
