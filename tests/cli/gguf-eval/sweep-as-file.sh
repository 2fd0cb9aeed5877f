# A sweep measures what the file measures.
gguf-quant -q fixtures/shakespeare-f16.gguf $TMP/q.gguf Q4_K_M
gguf-eval -q --json fixtures/shakespeare-f16.gguf $TMP/q.gguf -f fixtures/shakespeare-heldout.txt --chunks 2 --sweep Q4_K_M >$TMP/json
for key in bytes bpw perplexity kld_mean top1_agreement dp_rms; do
  sed -n "s/.*\"$key\":.//p" $TMP/json | tail -n 2 | uniq | wc -l
done
