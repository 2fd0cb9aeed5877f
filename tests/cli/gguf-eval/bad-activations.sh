gguf-eval fixtures/shakespeare-f16.gguf -f fixtures/shakespeare-heldout.txt --activations f16
