gguf-eval fixtures/shakespeare-f16.gguf --recall --prompt x -f fixtures/shakespeare-heldout.txt
