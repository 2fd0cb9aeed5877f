gguf-eval --json --tokenize fixtures/shakespeare-f16.gguf --prompt 'To be'
