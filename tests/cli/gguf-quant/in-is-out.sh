# same path, link, hard link and another spelling
cp fixtures/shakespeare-f16.gguf $TMP/in.gguf
ln -s in.gguf $TMP/link.gguf
ln $TMP/in.gguf $TMP/hard.gguf
for out in in.gguf link.gguf hard.gguf ./in.gguf; do
  gguf-quant -q --force $TMP/in.gguf $TMP/$out Q8_0 && echo made
done
cmp fixtures/shakespeare-f16.gguf $TMP/in.gguf && echo unharmed
