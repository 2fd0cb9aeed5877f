# needs shared
# Keys and values that would drive a terminal.
for f in k_esc_osc52 k_newline k_nonascii v_str_escape_seq v_str_embedded_nul; do
  gguf-info --metadata "$SHARED/corpus/gguf/$f.gguf"
done
