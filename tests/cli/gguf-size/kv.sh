# bytes of the cache by type: 32 layers of 2 x 1024 elements, 4096 cells
for t in f32 f16 bf16 q8_0 q5_1 q5_0 q4_1 q4_0 iq4_nl q8_0,f16; do
  echo "$t $(gguf-size --json --kv-type $t --ram 32G --params 8B -c 4096 | sed -n 's/.*"kv_bytes":[^0-9]*\([0-9]*\).*/\1/p')"
done
gguf-size --kv-type q8_0 --flash-attn off --ram 8G --params 8B
gguf-size --kv-type q3_k --ram 8G --params 8B
gguf-size --json --kv-type q8_0,f16 --flash-attn off --ram 32G --params 8B | grep kv_type
