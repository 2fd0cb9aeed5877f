m=fixtures/shakespeare-f16.gguf t=fixtures/shakespeare-heldout.txt
try() {
  gguf-imatrix "$@"
  echo $?
}
try
try $m
try -f $t
try $m -f $t --resume --in $TMP/a.gguf
try --in $TMP/a.gguf --resume
try $m -f $t --chunk 0
try $m -f $t --output-format json
try $m -f $t --activations q4
