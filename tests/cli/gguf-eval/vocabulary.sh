# needs shared
gguf-eval fixtures/shakespeare-f16.gguf $SHARED/models/stories260K.gguf -f fixtures/shakespeare-heldout.txt
