# needs shared
# what each layer keeps: windows, and latent attention
gguf-size -v --ram 8G --cpu-bandwidth 50 -c 4096 $SHARED/golden-eval/gemma3.gguf 2>/dev/null | sed -n '/^layer/,/^Engine/p'
gguf-size -v --ram 8G --cpu-bandwidth 50 -c 4096 $SHARED/golden-eval/deepseek2-mla.gguf 2>/dev/null | sed -n '/^layer/,/^Engine/p'
