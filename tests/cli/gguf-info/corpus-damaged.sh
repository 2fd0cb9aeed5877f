# needs shared
for f in d_claim_1t d_overlap_partial t_type_1f t_type_ff h_bad_magic_ggml d_off_past_eof; do
  gguf-info --tensors "$SHARED/corpus/gguf/$f.gguf"
  echo "exit $?"
done
