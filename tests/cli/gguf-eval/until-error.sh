gguf-eval -q fixtures/shakespeare-f16.gguf -f fixtures/shakespeare-heldout.txt --chunk 64 --until-error 20% |
  sed 's/\(\.[0-9][0-9]\)[0-9]*/\1/g; s/\(bits.byte\)  *tokens.s/\1/; s/\([0-9]\)  *[0-9.]*$/\1/; /^─/d'
