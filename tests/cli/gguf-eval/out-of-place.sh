# Options that say nothing here are refused.
m=fixtures/shakespeare-f16.gguf t=fixtures/shakespeare-heldout.txt
try() {
  gguf-eval "$@"
  echo $?
}
try $m -f $t -n 8
try $m -f $t --temperature 0
try $m -f $t --seed 1
try --prompt x $m --stride 16
try --recall $m -f $t --until-error 1%
try --choices $t $m --sweep Q4_0
try --tokenize $m --report $TMP/out.html
ls $TMP
