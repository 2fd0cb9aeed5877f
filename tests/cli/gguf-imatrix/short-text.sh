echo 'To be, or not to be' >$TMP/text
gguf-imatrix fixtures/shakespeare-f16.gguf -f $TMP/text -o $TMP/i.gguf
