for key in model tokens; do
  sed "s/tokenizer.ggml.$key/tokenizer.none.$key/" fixtures/shakespeare-f16.gguf >$TMP/m.gguf
  gguf-imatrix $TMP/m.gguf -f fixtures/shakespeare-heldout.txt -o $TMP/i.gguf
  echo $?
done
