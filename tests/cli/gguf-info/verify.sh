gguf-info --verify fixtures/shakespeare-f16.gguf
