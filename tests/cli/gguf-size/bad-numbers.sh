# each is a message and exit 2
try() { gguf-size --ram 8G "$@" >/dev/null; [ $? -eq 2 ] || echo "exit $?: $*"; }
try --params -7B
try --params 0
try --params 7X
try --params 1e30
try --params 7B,8B
try --params 7B --layers 0
try --params 7B --layers 99999999999
try --params 7B --heads 0
try --params 7B --heads 7 --kv-heads 3
try --params 7B --embd 100 --heads 7
try --params 1K --embd 4096
try --params 100T --layers 1 --embd 64 --heads 1
try --params 7B --ff 64
try --params 7B --experts 4 --experts-used 5
try --layers 4 --heads 4294967296
try --params 7B -c 0
try --params 7B -c -5
try --params 7B -c 99999999999999999999
try --params 7B --parallel 0
try --params 7B --ubatch 0
try --params 7B --ngl x
try --params 7B --ram lots
try --params 7B --ram -4G
try --params 7B --cpu-bandwidth 0
try --params 7B --cpu-bandwidth nan
try --params 7B --tensor-split 1,-1
try --params 7B --gpu 4090 --tensor-split 1,2
try --params 7B --gpu none --gpu 4090
try --params 7B --train half
try --params 7B --train full --zero 4
try --params 7B --train lora --rank 0
try --params 7B --optimizer sgd
try --params 7B --type Q9_K
try --params 7B fixtures/shakespeare-f16.gguf
try --table
try
try $TMP/none.gguf
try LICENSE
try hf:owner/repo
