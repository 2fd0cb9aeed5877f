# The points depend on the encoders, the rest does not.
gguf-eval -q fixtures/shakespeare-f16.gguf -f fixtures/shakespeare-heldout.txt --chunks 2 \
  --sweep Q8_0,Q4_0,Q2_K | sed -n '/^perplexity against/,$p' | grep -v '│'
