gguf-info -h && gguf-info --help
