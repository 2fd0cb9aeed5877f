gguf-imatrix -q fixtures/shakespeare-f16.gguf -f fixtures/shakespeare-heldout.txt -o $TMP/i.gguf --chunks 2
gguf-info --metadata --tensors $TMP/i.gguf | head -n 20
