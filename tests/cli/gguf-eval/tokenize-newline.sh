# The text is taken as it is, its last newline too.
printf 'a\n' | gguf-eval --tokenize fixtures/shakespeare-f16.gguf -f -
printf 'a' | gguf-eval --tokenize fixtures/shakespeare-f16.gguf -f -
