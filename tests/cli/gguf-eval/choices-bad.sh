echo '{"question": "a", "choices": ["b", "c"], "answer": 2}' >$TMP/q.jsonl
gguf-eval -q fixtures/shakespeare-f16.gguf --choices $TMP/q.jsonl
