# the bytes do not depend on the number of threads
for type in Q4_K_M Q2_K IQ4_XS MXFP4_MOE; do
  for t in 1 2 3; do
    gguf-quant -q --force -t $t fixtures/shakespeare-f16.gguf $TMP/out.gguf $type && cksum < $TMP/out.gguf
  done | sort -u | wc -l
done
