# Each under its heading; the exit code is the worst.
printf 'GGML' >"$TMP/bad.gguf"
gguf-info --keys general.name fixtures/shakespeare-f16.gguf "$TMP/bad.gguf" fixtures/shakespeare-f16.gguf
