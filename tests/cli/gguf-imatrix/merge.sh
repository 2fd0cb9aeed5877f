m=fixtures/shakespeare-f16.gguf t=fixtures/shakespeare-heldout.txt
gguf-imatrix -q $m -f $t -o $TMP/a.gguf --chunks 2
gguf-imatrix -q $m -f $t -o $TMP/b.dat --chunks 1
gguf-imatrix --in $TMP/a.gguf --in $TMP/b.dat -o $TMP/both.gguf
gguf-imatrix -q --in $TMP/a.gguf $m -f $t -o $TMP/more.gguf --chunks 1
for f in both more; do
  gguf-info --metadata $TMP/$f.gguf
  gguf-info --values blk.0.attn_q.weight.counts $TMP/$f.gguf
done
