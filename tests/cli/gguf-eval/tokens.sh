gguf-eval --tokenize fixtures/shakespeare-f16.gguf -f fixtures/shakespeare-heldout.txt >$TMP/ids
gguf-eval -q fixtures/shakespeare-f16.gguf --tokens $TMP/ids --chunks 2 |
  sed 's/\(\.[0-9][0-9]\)[0-9]*/\1/g; s/\(bits.byte\)  *tokens.s/\1/; s/\([0-9]\)  *[0-9.]*$/\1/; /^─/d'
