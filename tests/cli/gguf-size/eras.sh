# what an engine of each era takes for the same run
for e in 2025-02 ik A B C; do
  echo "$e: $(gguf-size --json --engine $e --gpu 4090 --ram 32G --params 8B -c 8192 | sed -n 's/.*"\(kv_bytes\|compute_bytes\)":[^0-9]*\([0-9]*\).*/\1 \2/p' | head -2 | tr '\n' ' ')"
done
gguf-size --engine D --ram 8G --params 8B
