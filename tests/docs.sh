#!/bin/sh
# The documents against the code: docs/example.c is short, compiles and prints what it
# should; links between the documents resolve; docs/blocks.md has the sizes of the type
# table.
cd "$(dirname "$0")/.." || exit 2
: "${BUILD:=build}" "${CC:=cc}"
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
bad=0
check() { # check NAME COMMAND...: the output is shown where the command fails
  name=$1
  shift
  if "$@" >"$dir/log" 2>&1; then echo "ok docs: $name"; else echo "not ok docs: $name" && cat "$dir/log" && bad=1; fi
}

# ---- The example -----------------------------------------------------------------

compiles() {
  # shellcheck disable=SC2086
  $CC -std=c11 -Wall -Wextra -Wpedantic -Werror -I. docs/example.c -o "$dir/example" \
    "$BUILD/libgguf.a" -lpcre2-8 -lxxhash -lm -fopenmp $LDFLAGS
}
prints() { # prints FILE: the example's output for the fixture is that of FILE
  "$dir/example" fixtures/shakespeare-f16.gguf | diff -u "$1" -
}
refuses() { # exit 2 and a message for a file that is no model
  "$dir/example" LICENSE >"$dir/out" 2>"$dir/err"
  [ $? -eq 2 ] && [ ! -s "$dir/out" ] && [ "$(wc -l <"$dir/err")" -eq 1 ]
}
cat >"$dir/expected" <<'EOF'
name: ggufkit Shakespeare
architecture: llama
F32: 9 tensors, 9216 bytes
F16: 30 tensors, 7340032 bytes
all tensors: 7349248 bytes
output_norm.weight: 1.26397 1.25021 1.27813
EOF
check "example.c has less than 60 lines" [ "$(wc -l <docs/example.c)" -lt 60 ]
check "example.c compiles without a warning" compiles
check "example.c prints what is in the fixture" prints "$dir/expected"
check "example.c refuses what is no model" refuses

# ---- Links -------------------------------------------------------------------------

documents() {
  find . -name node_modules -prune -o -path ./build -prune -o -path "$BUILD" -prune -o \
    -name '*.md' -print | sort
}
# The anchors of a document: its headings in lower case, spaces as dashes.
anchors() {
  sed -n 's/^#\{1,\} //p' "$1" | tr 'A-Z ' 'a-z-' | tr -cd 'a-z0-9_\n-'
}
link_resolves() { # link_resolves DOCUMENT TARGET
  path=${2%%#*} anchor=''
  case $2 in *'#'*) anchor=${2#*#} ;; esac
  file=$1
  [ -z "$path" ] || file=$(dirname "$1")/$path
  [ -e "$file" ] && { [ -z "$anchor" ] || anchors "$file" | grep -qxF -- "$anchor"; }
}
links_resolve() { # links_resolve DOCUMENT: code in fences and between backquotes has none
  broken=0
  awk '/^```/ { code = !code; next } !code' "$1" | sed 's/`[^`]*`//g' |
    grep -oE '\]\([^)]+\)' | sed 's/^](//; s/)$//; s/ ".*"$//' >"$dir/links"
  while read -r target; do
    case $target in http://* | https://* | mailto:*) continue ;; esac
    link_resolves "$1" "$target" || { echo "$1: no such target: $target" && broken=1; }
  done <"$dir/links"
  return $broken
}
for document in $(documents); do
  check "links of ${document#./}" links_resolve "$document"
done

# ---- Block formats --------------------------------------------------------------------

# "NAME ID ELEMENTS BYTES" of every current type, from the type table.
sed -n 's/^ *GGUF_\([A-Z0-9_]*\) = \([0-9]*\),\{0,1\}$/\1 \2/p' libgguf/gguf.h >"$dir/ids"
sed -n 's/^ *{GGUF_[A-Z0-9_]*, "\([A-Z0-9_]*\)", CURRENT, \([0-9]*\), \([0-9]*\),.*/\1 \2 \3/p' \
  libgguf/types.c >"$dir/sizes"
awk 'NR == FNR { id[$1] = $2; next } { print $1, id[$1], $2, $3 }' "$dir/ids" "$dir/sizes" |
  sort >"$dir/table"

# The same from the sections of docs/blocks.md. A section counts only if the bits per weight
# follow from its sizes and its first drawing, the block's, ends at its number of bytes.
cat >"$dir/sections.awk" <<'EOF'
/^### / { name = $2; id = "" }
/^Id [0-9]+: [0-9]+ elements? in [0-9]+ bytes?, [0-9.]+ bits per weight\.$/ {
  id = $2 + 0; elements = $3; bytes = $6; bpw = $8
  if (bpw * elements != bytes * 8) print name, "has wrong bits per weight:", bpw
}
/^byte / && id != "" {
  if ($NF == bytes) print name, id, elements, bytes
  else print name, "is drawn with", $NF, "bytes"
  id = ""
}
EOF
awk -f "$dir/sections.awk" docs/blocks.md | sort >"$dir/sections"
# And from the table on top of that page.
awk -F'[][ |()#]+' '/^\| \[/ { print $2, $4, $5, $6; if ($7 * $5 != $6 * 8) print $2, "has wrong bits per weight" }' \
  docs/blocks.md | sort >"$dir/overview"
has_types() { [ "$(wc -l <"$dir/table")" -ge 35 ] && ! grep -vE '^[A-Z0-9_]+( [0-9]+){3}$' "$dir/table"; }
check "the type table can be read" has_types
check "sections of blocks.md have the sizes of the type table" diff -u "$dir/table" "$dir/sections"
check "overview of blocks.md has the sizes of the type table" diff -u "$dir/table" "$dir/overview"
exit $bad
