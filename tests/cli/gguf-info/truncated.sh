# Shown as far as it can be read, the cause on stderr.
head -c 1000000 fixtures/shakespeare-f16.gguf >"$TMP/cut.gguf"
gguf-info "$TMP/cut.gguf"
