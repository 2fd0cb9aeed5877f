m=fixtures/shakespeare-f16.gguf t=fixtures/shakespeare-heldout.txt
gguf-imatrix -q $m -f $t -o $TMP/a --chunks 1
gguf-imatrix -q $m -f $t -o $TMP/b --chunks 1 --output-format dat
gguf-imatrix -q $m -f $t -o $TMP/c.dat --chunks 1 --output-format gguf
gguf-imatrix -q $m -f $t -o $TMP/d.dat --chunks 1
for f in a b c.dat d.dat; do head -c 4 $TMP/$f | od -An -tx1; done
cmp $TMP/a $TMP/c.dat
cmp $TMP/b $TMP/d.dat
