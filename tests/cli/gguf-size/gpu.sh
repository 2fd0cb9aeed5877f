# whole on the GPU
gguf-size --gpu "RTX 4060 Ti 16GB" --ram 32G --cpu-bandwidth 89 --params 8B -c 16384
