# A copy is no distance away.
cp fixtures/shakespeare-f16.gguf $TMP/copy.gguf
gguf-eval -q fixtures/shakespeare-f16.gguf $TMP/copy.gguf -f fixtures/shakespeare-heldout.txt --chunks 2 |
  sed 's/\(\.[0-9][0-9]\)[0-9]*/\1/g; s/\(bits.byte\)  *tokens.s/\1/; s/\([0-9]\)  *[0-9.]*$/\1/; /^─/d'
