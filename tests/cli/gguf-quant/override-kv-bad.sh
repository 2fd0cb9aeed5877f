for kv in a=u8:256 a=int:x a=list:1 =int:1 a=bool:yes; do
  gguf-quant --dry-run --override-kv $kv fixtures/shakespeare-f16.gguf Q8_0
  echo $?
done
