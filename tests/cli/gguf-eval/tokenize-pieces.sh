gguf-eval -v --tokenize fixtures/shakespeare-f16.gguf --prompt 'Ho! 😀'
