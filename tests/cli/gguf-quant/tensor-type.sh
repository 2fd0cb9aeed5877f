gguf-quant --dry-run --tensor-type 'blk\.[01]\.ffn_down=q8_0' --tensor-type ffn=Q5_K --output-tensor-type F16 --token-embedding-type q6_k fixtures/shakespeare-f16.gguf Q4_K_M
