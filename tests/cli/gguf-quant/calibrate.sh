m=fixtures/shakespeare-f16.gguf t=$TMP/text
head -c 20000 fixtures/shakespeare-heldout.txt >$t
gguf-imatrix -q $m -f $t -o $TMP/i.gguf
gguf-quant -q --imatrix $TMP/i.gguf $m $TMP/two.gguf Q3_K_M
gguf-quant -q --calibrate $t $m $TMP/one.gguf Q3_K_M
gguf-quant -q $m $TMP/plain.gguf Q3_K_M
for f in one two plain; do
  gguf-info --metadata --keys imatrix $TMP/$f.gguf
  tail -c 1600000 $TMP/$f.gguf >$TMP/$f.tail
done
cmp $TMP/one.tail $TMP/two.tail && echo same
cmp -s $TMP/one.tail $TMP/plain.tail || echo other than without importance
gguf-imatrix -q $m -f $t --chunk 64 --chunks 5 -o $TMP/i.gguf
gguf-quant -q --imatrix $TMP/i.gguf $m $TMP/two.gguf -f Q3_K_M
gguf-quant -q --calibrate $t --chunk 64 --chunks 5 $m $TMP/part.gguf Q3_K_M
gguf-info --metadata --keys imatrix $TMP/part.gguf
for f in part two; do tail -c 1600000 $TMP/$f.gguf >$TMP/$f.tail; done
cmp $TMP/part.tail $TMP/two.tail && echo same
cmp -s $TMP/part.tail $TMP/one.tail || echo other than with the whole text
