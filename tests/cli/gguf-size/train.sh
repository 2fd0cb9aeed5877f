for m in full lora qlora; do gguf-size --params 8B --train $m --gpu 4090 --ram 64G; echo "exit $?"; echo; done
gguf-size --params 70B --train full --gpu "H100 SXM" --ram 512G --gpus 16 --zero 3 --checkpointing --optimizer adamw8bit --batch 2 --seq 4096
