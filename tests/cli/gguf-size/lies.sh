# metadata that lies: named errors, exit 2, no crash
try() {
  gguf-quant -q --force --override-kv "$1" fixtures/shakespeare-f16.gguf $TMP/lie.gguf COPY || echo "cannot make $1"
  gguf-size --ram 8G --gpu 4090 --quants $TMP/lie.gguf >/dev/null
  echo "$1: exit $?"
}
try llama.block_count=u64:1099511627776
try llama.block_count=u32:0
try llama.attention.head_count=u32:0
try llama.attention.head_count=u32:4294967295
try llama.attention.head_count_kv=u32:3
try llama.attention.key_length=u32:4294967295
try llama.embedding_length=u32:0
try llama.embedding_length=i32:-1
try llama.context_length=u64:18446744073709551615
try llama.context_length=str:long
try llama.feed_forward_length=u64:18446744073709551615
try llama.expert_count=u32:4294967295
try llama.attention.sliding_window=u32:4294967295
try llama.ssm.state_size=u32:4294967295
try general.architecture=str:
try general.architecture=str:unheard-of
