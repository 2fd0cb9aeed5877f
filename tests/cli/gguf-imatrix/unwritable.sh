m=fixtures/shakespeare-f16.gguf t=fixtures/shakespeare-heldout.txt
cp $t $TMP/text
cp $m $TMP/m.gguf
for o in $TMP/none/i.gguf $TMP/none/i.dat $TMP /dev/full $TMP/text $TMP/m.gguf; do
  gguf-imatrix -q $TMP/m.gguf -f $TMP/text -o $o --chunks 1
  echo $?
done
