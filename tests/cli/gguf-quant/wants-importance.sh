# The mix that llama-quantize refuses to make without importance.
gguf-quant -q fixtures/shakespeare-f16.gguf $TMP/out.gguf q2_k_s
gguf-quant -q --calibrate fixtures/shakespeare-heldout.txt --chunks 1 fixtures/shakespeare-f16.gguf $TMP/more.gguf Q2_K_S
gguf-quant -q fixtures/shakespeare-f16.gguf $TMP/other.gguf Q2_K
ls $TMP
