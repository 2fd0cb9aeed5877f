#!/bin/sh
# gguf-size over HTTP, against a server of our own: one that serves ranges, and ones that lie
# about lengths, ignore ranges, never stop or never begin.
cd "$(dirname "$0")/../.." || exit 2
: "${BUILD:=build}"
size=$BUILD/gguf-size
model=fixtures/shakespeare-f16.gguf
command -v node >/dev/null 2>&1 || { echo "skip remote: no node" && exit 0; }
case $("$size" http://127.0.0.1:9/x.gguf 2>&1) in
*"built without libcurl"*) echo "skip remote: built without libcurl" && exit 0 ;;
esac

dir=$(mktemp -d)
mkdir "$dir/files" "$dir/tmp"
trap 'kill "$server" 2>/dev/null; rm -rf "$dir"' EXIT
cp $model "$dir/files/model.gguf"
"$BUILD/gguf-quant" -q --split-max-size 2M $model "$dir/files/set.gguf" Q8_0
# a header of which little is true: 2^60 keys
printf 'GGUF\003\000\000\000\001\000\000\000\000\000\000\000\000\000\000\000\000\000\000\020' >"$dir/files/keys.gguf"
head -c 3000000 /dev/zero >>"$dir/files/keys.gguf"
printf '<html>not here</html>' >"$dir/files/page.gguf"
node tests/remote/server.js "$dir/files" >"$dir/port" &
server=$!
n=0
while [ ! -s "$dir/port" ] && [ $n -lt 100 ]; do sleep 0.1 && n=$((n + 1)); done
base=http://127.0.0.1:$(cat "$dir/port")
TMPDIR=$dir/tmp
export TMPDIR
bad=0

same() { # same NAME A B
  if [ "$2" = "$3" ]; then echo "ok remote: $1"; else echo "not ok remote: $1" && echo "$2 / $3" && bad=1; fi
}
weights() { "$size" --json --ram 8G "$@" | sed -n 's/.*"\(weights_bytes\|kv_bytes\|parameters\)":[^0-9]*\([0-9]*\).*/\1 \2/p'; }
# refuses NAME ADDRESS TEXT: exit 2, one line that holds TEXT, within 20 seconds
refuses() {
  timeout 20 "$size" --ram 8G "$base/$2" >"$dir/out" 2>"$dir/err"
  rc=$?
  if [ $rc -eq 2 ] && [ "$(wc -l <"$dir/err")" -eq 1 ] && grep -q "$3" "$dir/err" && [ ! -s "$dir/out" ]; then
    echo "ok remote: $1"
  else
    echo "not ok remote: $1 (exit $rc)" && cat "$dir/err" && bad=1
  fi
}

same "a file" "$(weights "$base/ok/model.gguf")" "$(weights $model)"
same "a redirect" "$(weights "$base/away/model.gguf")" "$(weights $model)"
first=$(cd "$dir/files" && ls set-00001-of-*.gguf)
same "a shard set" "$(weights "$base/ok/$first")" "$(weights "$dir/files/$first")"
same "the hub" "$(HF_ENDPOINT=$base weights hf:owner/repo/model.gguf)" "$(weights $model)"
refuses "no such file" ok/nothing.gguf "no such file"
refuses "a login" login/model.gguf "log in"
refuses "a page of HTML" ok/page.gguf "HTML"
refuses "a count of keys that is a lie" ok/keys.gguf "keys"
refuses "the whole file instead of a range" whole/model.gguf "does not support range requests"
refuses "a total above 2^62" long/model.gguf "9000000000000000000 bytes"
refuses "a total inside the header" short/model.gguf "incomplete"
refuses "less than announced" cut/model.gguf "cannot read"
refuses "other bytes than asked for" shifted/model.gguf "from byte 8 on"
refuses "more than asked for, without end" endless/model.gguf "more than"
refuses "no range, without end" endless200/model.gguf "does not support range requests"
refuses "silence" silent/model.gguf "cannot read"
refuses "redirects in a circle" circle/model.gguf "redirect"
refuses "a redirect to a local file" local/model.gguf "cannot read"
"$size" --ram 8G hf:owner/repo >/dev/null 2>"$dir/err"
same "hf: without a file" "$? $(grep -c 'hf:OWNER/REPO/FILE' "$dir/err")" "2 1"
same "nothing is left behind" "$(ls "$dir/tmp")" ""
exit $bad
