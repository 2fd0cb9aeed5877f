cat >$TMP/q.jsonl <<'END'
{"question": "Who is the king?", "choices": ["Richard", "a dog", "the sea", "bread"], "answer": 0}
{"ctx": "To be, or not to", "endings": ["be: that is the question", "xq zzv"], "label": "0"}

{"question": "Two and two?", "choices": {"text": ["four", "five"], "label": ["A", "B"]}, "answerKey": "A"}
END
gguf-eval -q fixtures/shakespeare-f16.gguf --choices $TMP/q.jsonl
gguf-eval -q --json fixtures/shakespeare-f16.gguf --choices $TMP/q.jsonl
