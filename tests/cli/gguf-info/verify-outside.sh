. tests/cli/gguf-info/make.inc
rename 'token_embd' 'token_embx' <$fixture >"$TMP/f.gguf"
gguf-info --verify "$TMP/f.gguf"
