# kernels of every level that runs here, named by option or environment, make the same bytes;
# unknown levels are errors, and --cpu is stronger than GGUF_CPU
for level in scalar avx2 avx512 neon; do
  gguf-quant -q --force --cpu $level fixtures/shakespeare-f16.gguf $TMP/out.gguf Q5_K_M 2>$TMP/err || {
    grep -q "cannot run $level; it runs scalar" $TMP/err || cat $TMP/err
    continue
  }
  cksum <$TMP/out.gguf
  GGUF_CPU=$level gguf-quant -q --force fixtures/shakespeare-f16.gguf $TMP/out.gguf Q5_K_M
  cksum <$TMP/out.gguf
  GGUF_CPU=nonsense gguf-quant -q --force --cpu $level fixtures/shakespeare-f16.gguf $TMP/out.gguf Q5_K_M
  cksum <$TMP/out.gguf
  gguf-info --cpu $level --values output.weight:3 $TMP/out.gguf | cksum
done | sort -u | wc -l
GGUF_CPU= gguf-quant -q --dry-run fixtures/shakespeare-f16.gguf Q5_K_M
for level in sse2 ''; do
  gguf-quant --cpu "$level" --dry-run fixtures/shakespeare-f16.gguf Q5_K_M 2>&1 | sed 's/runs .*/runs ./'
done
GGUF_CPU=386 gguf-info fixtures/shakespeare-f16.gguf 2>$TMP/err
code=$?
sed 's/runs .*/runs ./' $TMP/err
exit $code
