echo 'To be, or not to be' >$TMP/text
gguf-eval fixtures/shakespeare-f16.gguf -f $TMP/text
