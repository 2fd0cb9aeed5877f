# a dry run answers for a quantized source, and says what a real run would
gguf-quant -q fixtures/shakespeare-f16.gguf $TMP/q8.gguf Q8_0
gguf-quant --dry-run $TMP/q8.gguf Q4_0 | tail -n 2
gguf-quant --dry-run --allow-requantize $TMP/q8.gguf Q4_0 | tail -n 1
