# a part of the layers on the GPU
gguf-size --gpu "RTX 3060" --ram 32G --cpu-bandwidth 89 --params 32B -c 16384 --kv-type q8_0
