# Always one JSON value, and the exit code as ever.
printf 'GGUF\003\000\000\000' >"$TMP/short.gguf"
gguf-info --json "$TMP/short.gguf"
echo "exit $?"
gguf-info --json --verify "$TMP/short.gguf" "$TMP/nowhere.gguf"
