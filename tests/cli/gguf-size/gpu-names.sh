# exact, short, as a driver says it, with another memory size
for n in "RTX 4090 24GB" 4090 "NVIDIA GeForce RTX 3090" "rtx-3060 ti" "RTX 3060" "4060 Ti 8GB" "Radeon RX 7900 XTX"; do
  gguf-size --json --gpu "$n" --ram 8G fixtures/shakespeare-f16.gguf | sed -n 's/.*"name":.*"\(.*GB.*\)",/\1/p'
done
