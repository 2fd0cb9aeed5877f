# A tensor moved out of its layer, and one under a name that the layer should not have.
. tests/cli/gguf-info/make.inc
rename 'blk\.2\.ffn_down' 'blx.2.ffn_down' <$fixture >"$TMP/gone.gguf"
rename 'blk\.2\.ffn_down' 'blk.2.fxn_down' <$fixture >"$TMP/other.gguf"
rename 'ffn_down' 'fxn_down' <$fixture >"$TMP/all.gguf"
for f in gone other all; do gguf-info --verify "$TMP/$f.gguf"; done
