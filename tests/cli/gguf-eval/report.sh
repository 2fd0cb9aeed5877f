gguf-eval -q fixtures/shakespeare-f16.gguf -f fixtures/shakespeare-heldout.txt --chunks 2 --sweep Q8_0,Q2_K --report $TMP/out.html >/dev/null
grep -c '<svg' $TMP/out.html
grep -o 'prefers-color-scheme:dark' $TMP/out.html
grep -o '<h[23]>[^<]*' $TMP/out.html
grep -cE '(src|href)=' $TMP/out.html
ls $TMP
