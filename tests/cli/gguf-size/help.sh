gguf-size --help
