# general.file_type says Q4_K_M: a remark, as overrides can do that to a sound file.
. tests/cli/gguf-info/make.inc
at=$(grep -abo general.file_type $fixture | cut -d: -f1)
cp $fixture "$TMP/f.gguf" && chmod u+w "$TMP/f.gguf"
u32 15 | patch "$TMP/f.gguf" $((at + 17 + 4))
gguf-info --verify "$TMP/f.gguf"
