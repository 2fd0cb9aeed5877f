gguf-eval fixtures/shakespeare-f16.gguf -f fixtures/shakespeare-heldout.txt --sweep IQ1_S --chunks 2 -q |
  sed 's/\(\.[0-9][0-9]\)[0-9]*/\1/g; s/\(bits.byte\)  *tokens.s/\1/; s/\([0-9]\)  *[0-9.]*$/\1/; /^─/d'
