gguf-info --tokenizer fixtures/shakespeare-f16.gguf
