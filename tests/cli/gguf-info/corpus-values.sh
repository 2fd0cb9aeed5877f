# needs shared
for f in ok_all_types v_float_specials v_arr_nested2; do
  gguf-info --metadata "$SHARED/corpus/gguf/$f.gguf"
done
gguf-info --values c --stats "$SHARED/corpus/gguf/ok_int_tensors.gguf" --tensors
