# the size of a dry run is that of the real run, for every type
for type in $(gguf-quant --list | awk '$1 ~ /^[A-Z]+[0-9]/ {print $1}'); do
  said=$(gguf-quant --dry-run --json fixtures/shakespeare-f16.gguf $type | sed -n 's/.*"output_bytes":[^0-9]*\([0-9]*\).*/\1/p')
  gguf-quant -q --force fixtures/shakespeare-f16.gguf $TMP/out.gguf $type 2>/dev/null
  [ "$said" = "$(wc -c < $TMP/out.gguf)" ] && echo "$type $said" || echo "$type differs: $said"
done
