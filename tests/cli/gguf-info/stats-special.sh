# NaN, infinity and zeros are counted and kept out of the numbers.
. tests/cli/gguf-info/make.inc
{ header 1 0 && tensor t 8 1 0; } >"$TMP/f.gguf"
pad "$TMP/f.gguf"
{
  ones 2 && u32 2143289344 && u32 2139095040 && u32 4286578688 && u32 0 && u32 2147483648
  u32 1073741824
} >>"$TMP/f.gguf"
gguf-info --stats "$TMP/f.gguf"
gguf-info --stats --json "$TMP/f.gguf" | sed -n '/"stats"/,/}/p'
gguf-info --verify "$TMP/f.gguf"
