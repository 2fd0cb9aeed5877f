# files that are no importance matrix, or one of another model
gguf-quant --imatrix fixtures/README.md fixtures/shakespeare-f16.gguf $TMP/out.gguf Q4_0
gguf-quant --imatrix fixtures/shakespeare-f16.gguf fixtures/shakespeare-f16.gguf $TMP/out.gguf Q4_0
gguf-quant --imatrix no-such-file fixtures/shakespeare-f16.gguf $TMP/out.gguf Q4_0
ls -A $TMP
