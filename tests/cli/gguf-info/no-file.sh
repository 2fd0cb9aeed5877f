gguf-info --verify "$TMP/nowhere.gguf"
