echo '1 1024' >$TMP/ids
gguf-eval fixtures/shakespeare-f16.gguf --tokens $TMP/ids --logits $TMP/out
