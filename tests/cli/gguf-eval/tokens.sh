gguf-eval --tokenize fixtures/shakespeare-f16.gguf -f fixtures/shakespeare-heldout.txt >$TMP/ids
gguf-eval -q fixtures/shakespeare-f16.gguf --tokens $TMP/ids --chunks 2 | sed 's/ *[0-9.]*$//; s/ *tokens.s$//; /^─/d'
