# Interrupted after the first save: what was counted is there, and the run can go on.
m=fixtures/shakespeare-f16.gguf t=fixtures/shakespeare-heldout.txt
for n in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do cat $t; done >$TMP/text
gguf-imatrix -q $m -f $TMP/text -o $TMP/i.gguf --save-every 1 2>$TMP/err &
while [ ! -s $TMP/i.gguf ] && kill -0 $! 2>/dev/null; do sleep 0.05; done
kill -TERM $!
wait $!
echo $?
sed 's/after [0-9]* of [0-9]* chunks/after N chunks/' $TMP/err
ls -A $TMP
done=$(gguf-info --metadata $TMP/i.gguf | awk '/chunks_done/ { print $3 }')
[ "$done" -ge 1 ] || echo "no chunks: $done"
gguf-imatrix -q --resume $m -f $TMP/text -o $TMP/i.gguf --chunks $((done + 1))
gguf-imatrix -q $m -f $TMP/text -o $TMP/once.gguf --chunks $((done + 1))
cmp $TMP/i.gguf $TMP/once.gguf && echo same
