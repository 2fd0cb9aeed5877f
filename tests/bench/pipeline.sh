#!/bin/sh
# Times gguf-quant as a whole process on an F16 model, side by side with another program where
# PEER names one that takes "[--imatrix FILE] IN OUT TYPE THREADS" (llama-quantize). The runs
# of the programs alternate; the seconds are the least of RUNS, the memory the largest.
#   MODEL    the input; made (1.1 billion parameters, 2.2 GB) where it does not exist
#   MIXES    such as "Q4_K_M Q8_0"
#   PRESETS  "default fast"
#   IMATRIX  a file, for MODEL
#   RUNS THREADS OUT GGUF_QUANT
cd "$(dirname "$0")/../.." || exit 2
: "${BUILD:=build}" "${MODEL:=$BUILD/bench-1b-f16.gguf}" "${RUNS:=3}" "${PRESETS:=default fast}"
: "${MIXES:=Q2_K Q3_K_M Q4_K_M Q5_K_M Q6_K Q4_0 Q5_0 Q8_0}" "${THREADS:=$(getconf _NPROCESSORS_ONLN)}"
: "${OUT:=$BUILD/bench-out.gguf}" "${GGUF_QUANT:=$BUILD/gguf-quant}" "${PEER:=}" "${IMATRIX:=}"
dir=$(mktemp -d)
trap 'rm -rf "$dir" "$OUT"' EXIT
trap 'exit 130' INT TERM

[ -f "$MODEL" ] || "$BUILD/bench/make_model" 1.1B F16 "$MODEL" || exit 2

# measure NAME COMMAND...: appends "seconds kilobytes" to $dir/NAME; the output is removed first,
# as writing over it costs the time to free it.
measure() {
  name=$1
  shift
  rm -f "$OUT"
  if ! /usr/bin/time -f '%e %M' -o "$dir/time" "$@" >"$dir/log" 2>&1; then
    tail -n 5 "$dir/log" >&2
    echo "pipeline: $* failed" >&2
    exit 2
  fi
  cat "$dir/time" >>"$dir/$name"
}
least() { sort -n "$dir/$1" | head -n 1 | cut -d ' ' -f 1; }
most() { sort -n "$dir/$1" | tail -n 1 | cut -d ' ' -f 1; }
memory() { cut -d ' ' -f 2 "$dir/$1" | sort -n | tail -n 1 | awk '{ printf "%.0f", $1 / 1024 }'; }

sed -n 's/^model name[^:]*: //p' /proc/cpuinfo 2>/dev/null | head -n 1
echo "$MODEL, $THREADS threads, least of $RUNS runs, load $(cut -d ' ' -f 1 /proc/loadavg 2>/dev/null)"
set -- ${IMATRIX:+--imatrix "$IMATRIX"}
cat "$MODEL" >/dev/null # into the cache
echo "| mix | program | seconds | slowest | ratio | memory, MiB |"
echo "|---|---|--:|--:|--:|--:|"
for mix in $MIXES; do
  rm -f "$dir"/run-*
  for _ in $(seq "$RUNS"); do
    [ -z "$PEER" ] || measure run-peer "$PEER" "$@" "$MODEL" "$OUT" "$mix" "$THREADS"
    for preset in $PRESETS; do
      measure "run-$preset" "$GGUF_QUANT" -q --no-verify -t "$THREADS" --preset "$preset" "$@" \
        "$MODEL" "$OUT" "$mix"
    done
  done
  [ -z "$PEER" ] || echo "| $mix | peer | $(least run-peer) | $(most run-peer) | 1 | $(memory run-peer) |"
  for preset in $PRESETS; do
    ratio=-
    [ -z "$PEER" ] || ratio=$(awk -v a="$(least run-peer)" -v b="$(least "run-$preset")" 'BEGIN { printf "%.2f", a / b }')
    echo "| $mix | $preset | $(least "run-$preset") | $(most "run-$preset") | $ratio | $(memory "run-$preset") |"
  done
done
