gguf-eval --json fixtures/shakespeare-f16.gguf --prompt 'To be, or' -n 8 | sed '/"seconds"/d; /"tokens_per_second"/d'
