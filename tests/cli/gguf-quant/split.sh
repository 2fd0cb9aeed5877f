gguf-quant -q --split-max-size 1M fixtures/shakespeare-f16.gguf $TMP/out.gguf Q8_0
ls $TMP
gguf-info --verify $TMP/out-00002-of-00005.gguf
gguf-quant -q --keep-split --allow-requantize $TMP/out-00001-of-00005.gguf $TMP/again.gguf Q4_0
ls $TMP | grep again
gguf-quant -q --allow-requantize $TMP/out-00003-of-00005.gguf $TMP/merged.gguf Q4_0
gguf-info --keys '^split' $TMP/merged.gguf | grep split
