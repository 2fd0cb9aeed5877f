# Arrays whole: the last tokens of the vocabulary.
gguf-info --full --keys 'ggml\.tokens$' fixtures/shakespeare-f16.gguf | tail -c 200
