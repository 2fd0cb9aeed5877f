gguf-size -q --gpu 4090 --ram 64G --cpu-bandwidth 89 --params 8B --report $TMP/out.html
echo "exit $?"
grep -c '<svg' $TMP/out.html
grep -oE '(src|href)=' $TMP/out.html
grep -oE '<h[12]>[^<]*' $TMP/out.html
gguf-size -q --gpu 4090 --ram 64G --params 8B --report $TMP/out.html
echo "exit $?"
gguf-size -q --gpu 4090 --ram 64G --params 8B --report $TMP/out.html --force
echo "exit $?"
gguf-size -q --gpu 4090 --ram 64G --params 8B --report $TMP/none/out.html
echo "exit $?"
