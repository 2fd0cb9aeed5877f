# A gap before the second tensor, and bytes behind the last one.
. tests/cli/gguf-info/make.inc
{ header 2 0 && tensor first 4 2 0 && tensor second 4 2 96; } >"$TMP/gap.gguf"
pad "$TMP/gap.gguf"
ones 56 >>"$TMP/gap.gguf"
gguf-info --layout "$TMP/gap.gguf" && gguf-info --layout --json "$TMP/gap.gguf"
