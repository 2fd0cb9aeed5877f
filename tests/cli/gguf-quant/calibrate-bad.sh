m=fixtures/shakespeare-f16.gguf t=fixtures/shakespeare-heldout.txt
try() {
  gguf-quant -q "$@"
  echo $?
}
echo 'To be' >$TMP/short
echo old >$TMP/old.gguf
cp $t $TMP/text
try --calibrate $TMP/short $m $TMP/out.gguf Q4_K_M
try --calibrate $TMP/none $m $TMP/out.gguf Q4_K_M
try --calibrate $t $m $TMP/old.gguf Q4_K_M
try --calibrate $TMP/text --force $m $TMP/text Q4_K_M
try --calibrate $t --imatrix $t $m $TMP/out.gguf Q4_K_M
ls $TMP
try --calibrate $t --chunk 3 $m $TMP/out.gguf Q4_K_M
try --calibrate $t --chunks 0 $m $TMP/out.gguf Q4_K_M
try --chunks 4 $m $TMP/out.gguf Q4_K_M
try --imatrix $t --chunk 64 $m $TMP/out.gguf Q4_K_M
printf 'ab\377cd' >$TMP/bytes
try --calibrate $TMP/bytes $m $TMP/out.gguf Q4_K_M
try --calibrate $t $TMP/text $TMP/out.gguf Q4_K_M
