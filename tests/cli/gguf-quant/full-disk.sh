# a report that cannot be written is trouble
[ -e /dev/full ] || { echo 'gguf-quant: error: cannot write to standard output: No space left on device' >&2; exit 2; }
gguf-quant --dry-run fixtures/shakespeare-f16.gguf Q4_K_M > /dev/full
