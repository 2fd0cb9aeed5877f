gzip -c fixtures/shakespeare-heldout.txt | head -c 20000 >$TMP/text.gz
gguf-eval -q fixtures/shakespeare-f16.gguf -f $TMP/text.gz --chunks 2
