gguf-size --gpu "RTX 3060" --ram 64G --cpu-bandwidth 89 --params 30B --layers 48 --embd 2048 --heads 32 --kv-heads 4 --head-length 128 --experts 128 --experts-used 8 --vocab 151936 --cpu-moe
