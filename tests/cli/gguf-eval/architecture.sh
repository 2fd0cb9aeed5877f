# needs shared
gguf-eval $SHARED/vocab/ggml-vocab-bert-bge.gguf -f fixtures/shakespeare-heldout.txt
