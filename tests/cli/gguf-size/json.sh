gguf-size --json --gpu "RTX 4060 Ti 16GB" --ram 32G --cpu-bandwidth 89 fixtures/shakespeare-f16.gguf
