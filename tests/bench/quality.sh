#!/bin/sh
# What the mixes cost a model: KL divergence from MODEL on TEXT, perplexity and agreement of the
# likeliest token, for gguf-quant and, where PEER names a program that takes
# "[--imatrix FILE] IN OUT TYPE" (llama-quantize), for its files. Prints a table in Markdown.
#   MODEL TEXT    the fixture model and its held-out text
#   MIXES         such as "Q4_K_M Q8_0"
#   PRESETS       "default fast best"
#   IMATRIX       a file for MODEL: every mix without and with it
#   CHUNK CHUNKS  tokens of a chunk, and the first so many alone (0: all)
#   ACTIVATIONS   f32 (the weights alone) or q8 (as engines run them)
#   CHART         an SVG file to draw
cd "$(dirname "$0")/../.." || exit 2
: "${BUILD:=build}" "${MODEL:=fixtures/shakespeare-f16.gguf}" "${TEXT:=fixtures/shakespeare-heldout.txt}"
: "${MIXES:=Q2_K Q2_K_S Q3_K_S Q3_K_M Q3_K_L Q4_K_S Q4_K_M Q5_K_S Q5_K_M Q6_K Q4_0 Q4_1 Q5_0 Q5_1 Q8_0 IQ4_NL IQ4_XS}"
: "${PRESETS:=default}" "${CHUNK:=256}" "${CHUNKS:=50}" "${ACTIVATIONS:=f32}" "${PEER:=}" "${IMATRIX:=}" "${CHART:=}"
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
const [file, mixes, presets, points] = process.argv.slice(1);
const fs = require("fs");
const result = JSON.parse(fs.readFileSync(file));
const found = Object.fromEntries(result.models.map((m) => [m.file.split("/").pop(), m]));
const programs = [...(result.models.some((m) => m.file.endsWith(".peer")) ? ["peer"] : []), ...presets.split(" ")];
const title = (p) => (p === "peer" ? "reference" : p);
const base = result.models[0];
const mib = (m) => m.bytes / 1048576;
const ppl = (m) => `${m.perplexity.toFixed(4)} ± ${m.perplexity_error.toFixed(4)}`;
const row = (cells) => console.log(`| ${cells.join(" | ")} |`);
console.log(`${result.text}, ${result.scored_tokens} tokens scored in chunks of ${result.chunk}, activations ${result.activations}. ` +
  `${base.file}: ${mib(base).toFixed(3)} MiB, perplexity ${ppl(base)}.\n`);
const columns = (name, p, of) => p.map((x) => [`${name}, ${title(x)}`, (m) => (m[x] ? of(m[x], m) : "-")]);
const change = (m, all) => (all.peer ? (100 * (m.kld_mean / all.peer.kld_mean - 1)).toFixed(1) : "-");
const table = [
  ["MiB", (m) => mib(m[programs.at(-1)]).toFixed(3)],
  ["bits", (m) => m[programs.at(-1)].bpw.toFixed(2)],
  ...columns("PPL", programs, (m) => m.perplexity.toFixed(4)),
  ...columns("KLD", programs, (m) => m.kld_mean.toFixed(7)),
  ["±", (m) => m[programs.at(-1)].kld_error.toFixed(7)],
  ...(programs[0] === "peer" ? columns("%", programs.slice(1), change) : []),
  ...columns("top-1", programs, (m) => (100 * m.top1_agreement).toFixed(2)),
];
row(["mix", "imatrix", ...table.map(([name]) => name)]);
row(["---", "---", ...table.map(() => "--:")]);
const drawn = [];
for (const mix of mixes.split(" "))
  for (const im of ["no", "yes"]) {
    const m = Object.fromEntries(programs.map((p) => [p, found[`${mix}.${im}.${p}`]]));
    if (!m[programs.at(-1)]) continue;
    row([mix, im, ...table.map(([, of]) => of(m))]);
    for (const p of programs)
      if (m[p]) drawn.push([`${title(p)}${im === "yes" ? ", imatrix" : ""}`, mix, mib(m[p]), m[p].kld_mean].join("\t"));
  }
const order = ["default", "default, imatrix"];
const rank = (line) => (order.indexOf(line.split("\t")[0]) + order.length + 1) % (order.length + 1);
fs.writeFileSync(points, drawn.sort((a, b) => rank(a) - rank(b)).join("\n") + "\n");
' "$dir/json" "$MIXES" "$PRESETS" "$dir/points" || exit 2
[ -z "$CHART" ] || "$BUILD/bench/quality_chart" <"$dir/points" >"$CHART"
