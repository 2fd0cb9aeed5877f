gguf-eval --tokenize --specials fixtures/shakespeare-f16.gguf --prompt 'a</s>b'
gguf-eval --tokenize fixtures/shakespeare-f16.gguf --prompt 'a</s>b'
