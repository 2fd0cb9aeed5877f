gguf-size --quants --gpu "RTX 3060" --ram 32G --cpu-bandwidth 89 --params 24B -c 8192 | tail -32
