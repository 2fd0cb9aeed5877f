echo precious > $TMP/out.gguf
gguf-quant -q fixtures/shakespeare-f16.gguf $TMP/out.gguf Q8_0
code=$?
cat $TMP/out.gguf
exit $code
