gguf-imatrix $TMP/none.gguf -f fixtures/shakespeare-heldout.txt -o $TMP/i.gguf
