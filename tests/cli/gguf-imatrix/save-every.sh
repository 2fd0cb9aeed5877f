m=fixtures/shakespeare-f16.gguf t=fixtures/shakespeare-heldout.txt
gguf-imatrix -q $m -f $t -o $TMP/a.gguf --chunks 3 --save-every 1
gguf-imatrix -q $m -f $t -o $TMP/b.gguf --chunks 3 --save-every 0
cmp $TMP/a.gguf $TMP/b.gguf && ls -A $TMP
