gguf-eval fixtures/shakespeare-f16.gguf -n 2 --prompt "$(printf 'To b\377')"
