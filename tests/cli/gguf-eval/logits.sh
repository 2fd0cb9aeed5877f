echo '1 20 300, [4] 5' >$TMP/ids
gguf-eval fixtures/shakespeare-f16.gguf --tokens $TMP/ids --logits $TMP/out
wc -c <$TMP/out
gguf-eval -q fixtures/shakespeare-f16.gguf --tokens $TMP/ids --logits $TMP/again
cmp $TMP/out $TMP/again
ls $TMP
