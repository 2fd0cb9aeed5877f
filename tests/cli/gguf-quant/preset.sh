# each preset makes a model, "default" is what no preset makes; an unknown one is an error
run() { gguf-quant -q --force "$@" fixtures/shakespeare-f16.gguf $TMP/out.gguf Q4_K_M && cksum <$TMP/out.gguf >>$TMP/sums; }
run && run --preset default && run --preset DEFAULT
sort -u $TMP/sums | wc -l
run --preset fast && run --preset best
gguf-quant --json --dry-run --preset best fixtures/shakespeare-f16.gguf Q4_K_M | grep '"preset"'
gguf-quant --preset turbo fixtures/shakespeare-f16.gguf $TMP/new.gguf Q4_K_M
