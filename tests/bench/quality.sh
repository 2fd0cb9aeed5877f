#!/bin/sh
# What the mixes cost a model: KL divergence from MODEL on TEXT and agreement of the likeliest
# token, for gguf-quant and, where PEER names a program that takes "[--imatrix FILE] IN OUT TYPE"
# (llama-quantize), for its files. Prints a table in Markdown.
#   MODEL TEXT    the fixture model and its held-out text
#   MIXES         such as "Q4_K_M Q8_0"
#   PRESETS       "default fast best"
#   IMATRIX       a file for MODEL: every mix without and with it
#   CHUNK CHUNKS  tokens of a chunk, and the first so many alone (0: all)
#   ACTIVATIONS   f32 (the weights alone) or q8 (as engines run them)
cd "$(dirname "$0")/../.." || exit 2
: "${BUILD:=build}" "${MODEL:=fixtures/shakespeare-f16.gguf}" "${TEXT:=fixtures/shakespeare-heldout.txt}"
: "${MIXES:=Q2_K Q2_K_S Q3_K_S Q3_K_M Q3_K_L Q4_K_S Q4_K_M Q5_K_S Q5_K_M Q6_K Q4_0 Q4_1 Q5_0 Q5_1 Q8_0 IQ4_NL IQ4_XS}"
: "${PRESETS:=fast default best}" "${CHUNK:=256}" "${CHUNKS:=0}" "${ACTIVATIONS:=f32}" "${PEER:=}" "${IMATRIX:=}"
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
trap 'exit 130' INT TERM

# make_files WITH [--imatrix FILE]: one file of each mix and program, MIX.WITH.PROGRAM
make_files() {
  with=$1
  shift
  for mix in $MIXES; do
    # That program makes no Q2_K_S without an imatrix.
    [ -z "$PEER" ] || "$PEER" "$@" "$MODEL" "$dir/$mix.$with.peer" "$mix" >/dev/null 2>&1 ||
      rm -f "$dir/$mix.$with.peer"
    for preset in $PRESETS; do
      "$BUILD/gguf-quant" -q --no-verify --preset "$preset" "$@" "$MODEL" \
        "$dir/$mix.$with.$preset" "$mix" 2>"$dir/err" || { cat "$dir/err" >&2 && exit 2; }
    done
  done
}

make_files no
[ -z "$IMATRIX" ] || make_files yes --imatrix "$IMATRIX"
limit=
[ "$CHUNKS" -eq 0 ] || limit="--chunks $CHUNKS"
# shellcheck disable=SC2086
"$BUILD/gguf-eval" -q --json --activations "$ACTIVATIONS" --chunk "$CHUNK" $limit -f "$TEXT" \
  "$MODEL" "$dir"/*.*.* >"$dir/json" || exit 2
# shellcheck disable=SC2016
node -e '
const [file, mixes, presets] = process.argv.slice(1);
const result = JSON.parse(require("fs").readFileSync(file));
const found = Object.fromEntries(result.models.map((m) => [m.file.split("/").pop(), m]));
const per = (m) => (m ? `${m.kld_mean.toFixed(6)} ± ${m.kld_error.toFixed(6)}` : "-");
const row = (cells) => console.log(`| ${cells.join(" | ")} |`);
const programs = presets.split(" ");
console.log(`${result.text}, ${result.scored_tokens} tokens scored in chunks of ${result.chunk}, activations ${result.activations}\n`);
row(["mix", "imatrix", "KLD, peer", "top-1", ...programs.flatMap((p) => [`KLD, ${p}`, "%", "top-1"])]);
row(["---", "---", "--:", "--:", ...programs.flatMap(() => ["--:", "--:", "--:"])]);
const top1 = (m) => (m ? (100 * m.top1_agreement).toFixed(2) : "-");
for (const mix of mixes.split(" "))
  for (const im of ["no", "yes"]) {
    const peer = found[`${mix}.${im}.peer`];
    const ours = programs.map((p) => found[`${mix}.${im}.${p}`]);
    if (!ours[0]) continue;
    const change = (m) => (peer ? (100 * (m.kld_mean / peer.kld_mean - 1)).toFixed(1) : "-");
    row([mix, im, per(peer), top1(peer), ...ours.flatMap((m) => [per(m), change(m), top1(m)])]);
  }
' "$dir/json" "$MIXES" "$PRESETS"
