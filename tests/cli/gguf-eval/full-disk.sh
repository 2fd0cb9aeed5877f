gguf-eval -q fixtures/shakespeare-f16.gguf -f fixtures/shakespeare-heldout.txt --chunks 2 --json >/dev/full
