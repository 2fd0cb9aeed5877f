gguf-imatrix -q --json --show-statistics fixtures/shakespeare-f16.gguf -f fixtures/shakespeare-heldout.txt -o $TMP/i.gguf --chunks 1 |
  sed 's/\(:.*\.[0-9][0-9][0-9]\)[0-9]*/\1/; s/"seconds":.*/"seconds": S,/' | head -n 43
