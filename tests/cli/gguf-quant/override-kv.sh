gguf-quant -q --override-kv general.name=str:renamed --override-kv llama.context_length=int:512 \
  --override-kv test.f=float:1.5 --override-kv test.b=bool:true --override-kv test.n=i16:-7 fixtures/shakespeare-f16.gguf $TMP/out.gguf Q8_0
gguf-info --keys '^general.name|context_length|^test' $TMP/out.gguf | grep -E 'renamed|context_length|test'
