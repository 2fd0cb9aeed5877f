# the shards of the output hold the tensors of the input's; one shard alone makes no set
gguf-quant -q --split-max-size 3M fixtures/shakespeare-f16.gguf $TMP/in.gguf F16
gguf-quant -q --keep-split $TMP/in-00002-of-00003.gguf $TMP/out.gguf Q4_K_M
for f in $TMP/*-of-00003.gguf; do
  echo "$(basename $f) $(od -A n -t u8 -j 8 -N 8 $f)"
done
gguf-quant -q --keep-split --force $TMP/in-00001-of-00003.gguf $TMP/in.gguf Q8_0
gguf-quant -q --keep-split fixtures/shakespeare-f16.gguf $TMP/plain.gguf Q8_0
ls $TMP
