gguf-imatrix -q fixtures/shakespeare-f16.gguf -f fixtures/shakespeare-heldout.txt -o $TMP/i.gguf --chunks 2
gguf-imatrix --show-statistics --in $TMP/i.gguf
ls $TMP
