# needs shared
gguf-quant -q --imatrix $SHARED/golden-eval/shakespeare-imatrix.dat fixtures/shakespeare-f16.gguf $TMP/out.gguf Q4_K_M
gguf-info --keys '^quantize' $TMP/out.gguf | grep quantize
gguf-quant --imatrix $SHARED/golden-eval/shakespeare-imatrix.dat --dry-run $SHARED/models/stories260K.gguf Q4_K_M
echo $?
