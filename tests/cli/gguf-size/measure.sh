gguf-size --measure --gpu none fixtures/shakespeare-f16.gguf | grep -c 'GB/s, measured'
