gguf-eval --help
