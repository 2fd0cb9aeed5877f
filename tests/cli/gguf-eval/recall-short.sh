gguf-eval -q fixtures/shakespeare-f16.gguf --recall -f fixtures/shakespeare-heldout.txt --chunk 32
