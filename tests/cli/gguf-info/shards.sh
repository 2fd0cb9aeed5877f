# Two files are read as one model, whichever is named; one alone is not enough.
. tests/cli/gguf-info/make.inc
shard() { # NUMBER TENSOR
  f=$TMP/m-0000$1-of-00002.gguf
  {
    header 1 4 && key_string general.name "in two parts" && key_u16 split.no $(($1 - 1))
    key_u16 split.count 2 && key_i32 split.tensors.count 2 && tensor "$2" 4 2 0
  } >"$f"
  pad "$f" && ones 8 >>"$f"
}
shard 1 first && shard 2 second
gguf-info "$TMP/m-00002-of-00002.gguf" && gguf-info --tensors --layout "$TMP/m-00001-of-00002.gguf"
rm "$TMP/m-00002-of-00002.gguf"
gguf-info --verify "$TMP/m-00001-of-00002.gguf"
gguf-info --tensors "$TMP/m-00001-of-00002.gguf"
