# needs shared
gguf-eval $SHARED/golden-eval/shakespeare-Q4_K_M-peer.gguf -f fixtures/shakespeare-heldout.txt --sweep Q2_K
