# A NaN in one tensor and another one all zero, as after an interrupted write.
. tests/cli/gguf-info/make.inc
cp $fixture "$TMP/f.gguf" && chmod u+w "$TMP/f.gguf"
printf '\000\176' | patch "$TMP/f.gguf" $((549952 + 2 * 1000))
head -c 393216 /dev/zero | patch "$TMP/f.gguf" 1730624
gguf-info --verify "$TMP/f.gguf"
gguf-info --verify --json --keys '^$' --names '^$' "$TMP/f.gguf" | sed -n '/"verify"/,$p'
gguf-info "$TMP/f.gguf" | head -n 1
