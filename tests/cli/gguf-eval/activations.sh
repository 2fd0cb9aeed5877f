gguf-eval -q fixtures/shakespeare-f16.gguf -f fixtures/shakespeare-heldout.txt --chunks 4 --activations f32 | sed 's/ *[0-9.]*$//; s/ *tokens.s$//; /^─/d'
