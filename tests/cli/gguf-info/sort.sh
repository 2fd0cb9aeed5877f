for key in offset name size type params; do
  echo "by $key"
  gguf-info --names 'blk\.[13]\.(attn_(q|norm)|ffn_down)' --sort $key fixtures/shakespeare-f16.gguf
done
