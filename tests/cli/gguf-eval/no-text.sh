gguf-eval fixtures/shakespeare-f16.gguf
