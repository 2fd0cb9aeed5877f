gguf-quant --list
