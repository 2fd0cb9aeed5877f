# needs shared
# Experts, tied embeddings, latent attention, a vocabulary alone, mixed types.
for f in golden-eval/llama-moe golden-eval/deepseek2-mla golden-eval/shakespeare-Q4_K_M-peer \
  vocab/ggml-vocab-phi-3 recipes/a_llama8.imatrix; do
  gguf-info "$SHARED/$f.gguf"
  gguf-info --verify "$SHARED/$f.gguf"
done
