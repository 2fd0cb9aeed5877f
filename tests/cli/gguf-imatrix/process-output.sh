m=fixtures/shakespeare-f16.gguf t=fixtures/shakespeare-heldout.txt
gguf-imatrix -q $m -f $t -o $TMP/without.gguf --chunks 1
gguf-imatrix -q --process-output $m -f $t -o $TMP/with.gguf --chunks 1
for f in without with; do gguf-info --tensors $TMP/$f.gguf | grep -c output.weight; done
gguf-info --tensors $TMP/with.gguf | grep ' output.weight\|^output.weight' | sed 's/  *[0-9,]*  *[0-9,]*$//'
