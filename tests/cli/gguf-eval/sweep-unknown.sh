gguf-eval fixtures/shakespeare-f16.gguf -f fixtures/shakespeare-heldout.txt --sweep Q4_K_M,Q9_K
