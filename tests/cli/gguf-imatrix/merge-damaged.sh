m=fixtures/shakespeare-f16.gguf t=fixtures/shakespeare-heldout.txt
gguf-imatrix -q $m -f $t -o $TMP/a.dat --chunks 1
gguf-imatrix -q $m -f $t -o $TMP/a.gguf --chunks 1
head -c 2000 $TMP/a.dat >$TMP/cut.dat
head -c 20000 $TMP/a.gguf >$TMP/cut.gguf
echo 'not a matrix at all' >$TMP/text.dat
for f in cut.dat cut.gguf text.dat none.gguf; do
  gguf-imatrix --in $TMP/$f -o $TMP/out.gguf
  echo $?
done
gguf-imatrix --in $m -o $TMP/out.gguf
echo $?
ls $TMP
