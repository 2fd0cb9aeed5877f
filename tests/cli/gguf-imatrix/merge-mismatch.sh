# needs shared
t=fixtures/shakespeare-heldout.txt
gguf-imatrix -q $SHARED/models/stories260K.gguf -f $t -o $TMP/a.gguf --chunks 1
gguf-imatrix -q --in $TMP/a.gguf fixtures/shakespeare-f16.gguf -f $t -o $TMP/b.gguf --chunks 1
code=$?
ls $TMP
exit $code
