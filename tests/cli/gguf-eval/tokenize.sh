printf 'To be, or not to be' | gguf-eval --tokenize fixtures/shakespeare-f16.gguf -f -
