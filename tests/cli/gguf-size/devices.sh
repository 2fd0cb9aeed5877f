gguf-size --devices | head -4
gguf-size --devices --json | head -10
