gguf-info --values token_embd.weight:20 --values output_norm.weight:3 fixtures/shakespeare-f16.gguf
gguf-info --json --keys '^$' --names '^$' --values output_norm.weight:3 fixtures/shakespeare-f16.gguf |
  sed -n '/"values"/,$p'
