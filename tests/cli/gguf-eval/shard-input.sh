gguf-quant -q fixtures/shakespeare-f16.gguf $TMP/m.gguf COPY --split-max-size 2M
echo 1 2 >$TMP/ids
cksum $TMP/m-*.gguf >$TMP/before
first=$(echo $TMP/m-00001-of-*.gguf)
for o in $TMP/m-00002-of-*.gguf; do
  gguf-eval $first --tokens $TMP/ids --logits $o
  gguf-eval $first --tokens $TMP/ids --report $o
  gguf-imatrix $first -f fixtures/shakespeare-heldout.txt --chunks 1 -o $o
done
echo $?
cksum $TMP/m-*.gguf | cmp - $TMP/before && echo unchanged
