gguf-eval fixtures/shakespeare-f16.gguf --prompt 'To be, or' -n 24
