gzip -c fixtures/shakespeare-heldout.txt >$TMP/text.gz
gguf-eval -q fixtures/shakespeare-f16.gguf -f $TMP/text.gz --chunks 2 |
  sed 's/\(\.[0-9][0-9]\)[0-9]*/\1/g; s/\(bits.byte\)  *tokens.s/\1/; s/\([0-9]\)  *[0-9.]*$/\1/; /^─/d'
