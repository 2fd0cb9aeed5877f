gguf-info --stats -t 1 fixtures/shakespeare-f16.gguf | tee "$TMP/1"
gguf-info --stats -t 3 fixtures/shakespeare-f16.gguf | cmp - "$TMP/1"
