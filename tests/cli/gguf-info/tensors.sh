gguf-info --tensors fixtures/shakespeare-f16.gguf
