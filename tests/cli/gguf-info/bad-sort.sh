gguf-info --sort colour fixtures/shakespeare-f16.gguf
