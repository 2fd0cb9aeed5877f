# needs shared
# Hyperparameters and arrays that lie are shown as they are, and --verify says so.
for f in v_hparams_max v_hparams_neg v_arch_wrong_type v_tokens_wrong_type v_tokens_short_scores; do
  echo "$f"
  gguf-info --verify --metadata --tokenizer "$SHARED/corpus/gguf/$f.gguf"
  echo "exit $?"
done
gguf-info --json "$SHARED/corpus/gguf/v_hparams_max.gguf" | grep 4294967295
