# needs shared
# A file without tensors will do.
printf 'Hello world' | gguf-eval --tokenize $SHARED/vocab/ggml-vocab-gpt-2.gguf -f -
