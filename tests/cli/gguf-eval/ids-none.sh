: >$TMP/ids
gguf-eval fixtures/shakespeare-f16.gguf --tokens $TMP/ids --logits $TMP/out
