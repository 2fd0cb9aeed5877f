gguf-eval -q fixtures/shakespeare-f16.gguf -f fixtures/shakespeare-heldout.txt --chunks 2 --sweep Q8_0,Q4_K_M,q2_k |
  sed 's/\(\.[0-9][0-9]\)[0-9]*/\1/g; s/\(bits.byte\)  *tokens.s/\1/; s/\([0-9]\)  *[0-9.]*$/\1/; /^─/d'
