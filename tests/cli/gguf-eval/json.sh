gguf-eval -q --json fixtures/shakespeare-f16.gguf -f fixtures/shakespeare-heldout.txt --chunks 2 | grep -o '"[a-z0-9_.]*":'
