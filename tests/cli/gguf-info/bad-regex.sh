gguf-info --keys 'a(b' fixtures/shakespeare-f16.gguf
