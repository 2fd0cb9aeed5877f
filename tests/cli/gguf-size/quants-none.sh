# nothing above about three bits fits: a smaller model is better
gguf-size --quants --ram 12G --cpu-bandwidth 50 --params 24B -c 2048 | tail -3
