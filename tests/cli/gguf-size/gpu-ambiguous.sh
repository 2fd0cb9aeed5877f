gguf-size --gpu 3080 --ram 8G fixtures/shakespeare-f16.gguf >/dev/null && echo resolved
gguf-size --gpu "RTX 40" --ram 8G fixtures/shakespeare-f16.gguf
gguf-size --gpu "A100" --ram 8G fixtures/shakespeare-f16.gguf
gguf-size --gpu "RTX 3065" --ram 8G fixtures/shakespeare-f16.gguf
gguf-size --gpu "Voodoo" --ram 8G fixtures/shakespeare-f16.gguf
