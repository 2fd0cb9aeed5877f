gguf-eval -q --json fixtures/shakespeare-f16.gguf --recall -f fixtures/shakespeare-heldout.txt | grep -c probability
