# needs shared
# As llama-perplexity printed it: shared/golden-eval/perplexity.json.
gguf-eval -q $SHARED/models/stories260K.gguf -f $SHARED/text/wiki.test.raw --chunk 128 --chunks 64 | sed 's/  *[0-9.]*$//'
