# needs shared
# the same for the models there, in a dry run, which another test holds against real ones
for model in $SHARED/models/*.gguf $SHARED/golden-eval/*.gguf $SHARED/recipes/*.gguf; do
  case $model in *imatrix*) continue ;; esac
  gguf-size --json --quants --ram 8G $model 2>/dev/null | tr -d '\t\n' | grep -o '"type":"[^"]*","bits_per_weight":[^,]*,"file_bytes":[0-9]*' |
    sed 's/"type":"\([^"]*\)".*"file_bytes":\([0-9]*\)/\1 \2/' >$TMP/sizes
  n=0 bad=0
  while read -r type size; do
    said=$(gguf-quant --dry-run --json $model $type 2>/dev/null | sed -n 's/.*"output_bytes":[^0-9]*\([0-9]*\).*/\1/p')
    n=$((n + 1))
    [ "$said" = "$size" ] || { echo "$(basename $model) $type: $size, $said" && bad=1; }
  done <$TMP/sizes
  [ $n -ge 20 ] && [ $bad -eq 0 ] && echo "$(basename $model): all sizes agree"
done
