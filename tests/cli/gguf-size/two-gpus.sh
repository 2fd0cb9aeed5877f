gguf-size --gpu 3090 --gpu "RTX 3060" --ram 32G --cpu-bandwidth 50 --params 32B --type Q6_K -c 8192
echo
gguf-size --gpu 3090 --gpu "RTX 3060" --tensor-split 3,1 --ram 32G --cpu-bandwidth 50 --params 8B -c 8192 | head -9
