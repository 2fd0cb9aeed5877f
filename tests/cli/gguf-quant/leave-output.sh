gguf-quant --dry-run --leave-output-tensor fixtures/shakespeare-f16.gguf Q4_0
