# exit 1, and how much is missing
gguf-size --ram 8G --cpu-bandwidth 50 --params 70B --type Q4_K_M
