gguf-eval fixtures/shakespeare-f16.gguf -f fixtures/shakespeare-heldout.txt --sweep IQ1_S --chunks 2 -q | sed 's/ *[0-9.]*$//; s/ *tokens.s$//; /^─/d'
