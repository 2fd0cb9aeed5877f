# a projector beside the model counts on the first GPU
gguf-size --gpu 4090 --ram 32G --mmproj fixtures/shakespeare-f16.gguf --params 8B | sed -n "4,6p"
