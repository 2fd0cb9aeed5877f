printf '\n{"question"\n' >$TMP/q.jsonl
gguf-eval -q fixtures/shakespeare-f16.gguf --choices $TMP/q.jsonl
