gguf-quant -q fixtures/shakespeare-f16.gguf $TMP/q8.gguf Q8_0
gguf-quant -q $TMP/q8.gguf $TMP/q4.gguf Q4_0
echo $?
gguf-quant -q --allow-requantize $TMP/q8.gguf $TMP/q4.gguf Q4_0 && gguf-info --verify $TMP/q4.gguf
