# needs shared
# llama-imatrix made shakespeare-imatrix.dat from the first 120000 bytes of a text.
head -c 120000 $SHARED/text/tinyshakespeare.txt >$TMP/calib.txt
gguf-imatrix -q fixtures/shakespeare-f16.gguf -f $TMP/calib.txt -o $TMP/i.dat
show() { gguf-imatrix --show-statistics --in "$1" | sed 's/ %//g'; }
show $TMP/i.dat >$TMP/ours
show $SHARED/golden-eval/shakespeare-imatrix.dat >$TMP/theirs
grep chunks $TMP/ours $TMP/theirs | sed 's/.*://'
# Sums, least, largest and mean to 1e-3, or a digit in the last place.
paste $TMP/ours $TMP/theirs | awk '/^blk/ { n++
  for (i = 2; i <= 5; i++) { d = $i - $(i + NF / 2); if (d < 0) d = -d; if (d > $i / 1000 + 0.0001) print $1, $i, $(i + NF / 2) } }
  END { print n " tensors" }'
