gguf-info --json --keys 'general|bos' --names output fixtures/shakespeare-f16.gguf
