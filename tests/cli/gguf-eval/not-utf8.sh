printf 'To be\377, or' >$TMP/text
gguf-eval fixtures/shakespeare-f16.gguf -f $TMP/text
