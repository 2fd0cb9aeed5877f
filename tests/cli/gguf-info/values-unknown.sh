gguf-info --values blk.9.attn_q.weight:3 fixtures/shakespeare-f16.gguf
