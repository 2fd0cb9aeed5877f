gguf-size --quants --gpu "RTX 3060" --ram 32G --cpu-bandwidth 89 --params 24B -c 8192 |
  grep -E '^(type|F16|Q8_0|Q6_K|Q5_K_M|Q4_K_M|Q3_K_M|Q2_K) |recommended|typical|lose less'
