gguf-imatrix -h
