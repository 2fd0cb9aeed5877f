# needs shared
gguf-imatrix $SHARED/vocab/ggml-vocab-bert-bge.gguf -f fixtures/shakespeare-heldout.txt -o $TMP/i.gguf
