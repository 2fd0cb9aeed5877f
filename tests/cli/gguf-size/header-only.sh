# the header of a download is enough, and is all that is read
head -c 40000 fixtures/shakespeare-f16.gguf >$TMP/part.gguf
gguf-size --ram 8G --cpu-bandwidth 50 $TMP/part.gguf | head -2
head -c 3000 fixtures/shakespeare-f16.gguf >$TMP/less.gguf
gguf-size --ram 8G $TMP/less.gguf
