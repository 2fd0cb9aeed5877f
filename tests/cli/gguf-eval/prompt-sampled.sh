# The same seed, the same text.
a=$(gguf-eval fixtures/shakespeare-f16.gguf --prompt 'KING' -n 24 --temperature 0.8 --seed 7)
b=$(gguf-eval fixtures/shakespeare-f16.gguf --prompt 'KING' -n 24 --temperature 0.8 --seed 7)
c=$(gguf-eval fixtures/shakespeare-f16.gguf --prompt 'KING' -n 24 --temperature 0.8 --seed 8)
[ "$a" = "$b" ] && [ "$a" != "$c" ] && echo differs by seed alone
