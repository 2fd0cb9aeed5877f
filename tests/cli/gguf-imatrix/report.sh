gguf-imatrix fixtures/shakespeare-f16.gguf -f fixtures/shakespeare-heldout.txt -o $TMP/i.dat --chunks 1 2>/dev/null
