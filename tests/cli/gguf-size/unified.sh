# a GPU that uses the RAM: what it takes is not left for the rest
gguf-size --gpu "M3 Max" --ram 64G --params 70B | sed -n 2,7p
gguf-size --gpu "M3 Max" --ram 32G --params 70B | sed -n 2,7p
