# names that are close, and mixes where a type is asked for
for type in q4 Q4_K_X Q5_2 foo; do
  gguf-quant --dry-run fixtures/shakespeare-f16.gguf $type
done
for type in Q4_K_M Q8_K Q4; do
  gguf-quant --dry-run --tensor-type ffn=$type fixtures/shakespeare-f16.gguf Q8_0
done
