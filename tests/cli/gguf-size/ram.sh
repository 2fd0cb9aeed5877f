gguf-size --ram 8G --cpu-bandwidth 50 fixtures/shakespeare-f16.gguf
