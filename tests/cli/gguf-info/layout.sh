gguf-info --layout fixtures/shakespeare-f16.gguf
