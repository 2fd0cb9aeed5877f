m=fixtures/shakespeare-f16.gguf t=fixtures/shakespeare-heldout.txt
gguf-imatrix -q $m -f $t -o $TMP/once.gguf --chunks 4
gguf-imatrix -q --resume $m -f $t -o $TMP/twice.gguf --chunks 1
gguf-imatrix -q --resume $m -f $t -o $TMP/twice.gguf --chunks 3
gguf-imatrix -q --resume $m -f $t -o $TMP/twice.gguf --chunks 4
cmp $TMP/once.gguf $TMP/twice.gguf && echo same
gguf-imatrix --json --resume $m -f $t -o $TMP/twice.gguf --chunks 4 -q | grep chunks
cmp $TMP/once.gguf $TMP/twice.gguf && echo same
