gguf-size --json --params 8B --train qlora --rank 32 --ram 64G
