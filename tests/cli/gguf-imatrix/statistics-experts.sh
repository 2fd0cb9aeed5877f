# needs shared
gguf-imatrix -q $SHARED/golden-eval/llama-moe.gguf -f fixtures/shakespeare-heldout.txt -o $TMP/i.gguf --chunk 4 --chunks 1
gguf-imatrix -q --show-statistics --in $TMP/i.gguf --json | grep -A 3 exps
