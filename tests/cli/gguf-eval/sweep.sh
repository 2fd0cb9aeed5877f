# Sizes to the byte, and the fewer bits the more divergence.
gguf-eval -q --json fixtures/shakespeare-f16.gguf -f fixtures/shakespeare-heldout.txt --chunks 2 \
  --sweep Q8_0,Q4_K_M,q2_k >$TMP/json
grep -E '"(file|mix|bytes)"' $TMP/json
sed -n 's/.*"kld_mean": *\([0-9.e-]*\).*/\1/p' $TMP/json >$TMP/kld
sort -g $TMP/kld | cmp - $TMP/kld && echo in order
