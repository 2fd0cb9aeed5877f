# sizes are those of the files that gguf-quant writes
for model in fixtures/*.gguf; do
  gguf-size --json --quants --ram 8G $model | tr -d '\t\n' | grep -o '"type":"[^"]*","bits_per_weight":[^,]*,"file_bytes":[0-9]*' |
    sed 's/"type":"\([^"]*\)".*"file_bytes":\([0-9]*\)/\1 \2/' >$TMP/sizes
  n=0 bad=0
  while read -r type size; do
    gguf-quant -q --force --allow-requantize $model $TMP/out.gguf $type 2>/dev/null
    n=$((n + 1))
    [ "$(wc -c <$TMP/out.gguf)" = "$size" ] || { echo "$type $size differs: $(wc -c <$TMP/out.gguf)" && bad=1; }
  done <$TMP/sizes
  [ $n -ge 20 ] && [ $bad -eq 0 ] && echo "$model: all sizes agree"
done
