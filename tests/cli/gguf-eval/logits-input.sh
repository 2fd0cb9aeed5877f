cp fixtures/shakespeare-f16.gguf $TMP/m.gguf
echo 1 2 >$TMP/ids
gguf-eval $TMP/m.gguf --tokens $TMP/ids --logits $TMP/m.gguf
