cp fixtures/shakespeare-heldout.txt $TMP/text
gguf-eval fixtures/shakespeare-f16.gguf -f $TMP/text --report $TMP/text
