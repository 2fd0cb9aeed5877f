gguf-eval $TMP/none.gguf -f fixtures/shakespeare-heldout.txt
