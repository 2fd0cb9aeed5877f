gguf-eval fixtures/shakespeare-f16.gguf -f fixtures/shakespeare-heldout.txt --chunk 64 --stride 65
