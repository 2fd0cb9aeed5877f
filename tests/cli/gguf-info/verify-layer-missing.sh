. tests/cli/gguf-info/make.inc
rename 'blk\.1\.' 'blx.1.' <$fixture >"$TMP/one.gguf"
rename 'blk\.[23]\.' 'blx.2.' <$fixture >"$TMP/dup.gguf"
rename 'blk\.3\.' 'blk.7.' <$fixture >"$TMP/moved.gguf"
gguf-info --verify "$TMP/one.gguf"
gguf-info --verify "$TMP/moved.gguf"
gguf-info --verify "$TMP/dup.gguf"
