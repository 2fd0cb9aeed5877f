# embedding_length says 255.
. tests/cli/gguf-info/make.inc
at=$(grep -abo llama.embedding_length $fixture | cut -d: -f1)
cp $fixture "$TMP/f.gguf" && chmod u+w "$TMP/f.gguf"
u32 255 | patch "$TMP/f.gguf" $((at + 22 + 4))
gguf-info --verify "$TMP/f.gguf"
