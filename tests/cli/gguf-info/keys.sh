gguf-info --keys '^llama\.(?!rope)' fixtures/shakespeare-f16.gguf
