#!/bin/sh
# refill.sh SECTION: replaces what is between "<!-- SECTION -->" and "<!-- end SECTION -->" in
# docs/benchmarks.md by the standard input.
cd "$(dirname "$0")/../.." || exit 2
doc=docs/benchmarks.md
grep -q "^<!-- $1 -->$" "$doc" || { echo "refill: there is no section $1 in $doc" >&2 && exit 2; }
text=$(mktemp)
trap 'rm -f "$text" "$doc.new"' EXIT
cat >"$text"
[ -s "$text" ] || { echo "refill: nothing to fill $1 with" >&2 && exit 2; }
awk -v section="$1" -v text="$text" '
  $0 == "<!-- end " section " -->" { skip = 0 }
  !skip { print }
  $0 == "<!-- " section " -->" {
    skip = 1
    print ""
    while ((getline line < text) > 0) { print line; last = line }
    if (last != "") print ""
  }' "$doc" >"$doc.new" && mv "$doc.new" "$doc"
