gguf-info --metadata fixtures/shakespeare-f16.gguf
