gguf-info fixtures/shakespeare-f16.gguf
