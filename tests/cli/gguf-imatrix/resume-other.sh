# needs shared
m=fixtures/shakespeare-f16.gguf t=fixtures/shakespeare-heldout.txt
gguf-imatrix -q $m -f $t -o $TMP/i.gguf --chunks 1
cp $TMP/i.gguf $TMP/was.gguf
try() {
  gguf-imatrix -q --resume --chunks 2 -o $TMP/i.gguf "$@"
  echo $?
}
head -c 20000 $t >$TMP/text
try $m -f $TMP/text
try $m -f $t --chunk 128
try $m -f $t --process-output
try $m -f $t --activations f32
gguf-quant -q $m $TMP/q.gguf Q8_0
try $TMP/q.gguf -f $t
cmp $TMP/i.gguf $TMP/was.gguf && echo untouched
cp $SHARED/golden-eval/shakespeare-imatrix.dat $TMP/i.gguf
chmod u+w $TMP/i.gguf
try $m -f $t
gguf-imatrix --resume $m -f $t -o $TMP/i.dat
echo $?
