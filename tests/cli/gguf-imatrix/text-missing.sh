gguf-imatrix fixtures/shakespeare-f16.gguf -f $TMP/none.txt -o $TMP/i.gguf
