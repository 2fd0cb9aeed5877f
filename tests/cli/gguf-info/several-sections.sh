gguf-info --tokenizer --names output --verify fixtures/shakespeare-f16.gguf
