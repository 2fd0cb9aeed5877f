#!/bin/sh
# Static checks. Prints what is wrong and exits 1, or says that all is well.
cd "$(dirname "$0")/.." || exit 2
bad=0
fail() {
  echo "lint: $1" >&2
  bad=1
}
sources=$(git ls-files '*.c')
everything=$(git ls-files '*.c' '*.h')

# shellcheck disable=SC2086
{
  grep -nE '\b(sprintf|vsprintf|strcpy|strcat|strncpy|strncat|gets|atoi|atol|atof|alloca|strtok|system|popen)\s*\(' $everything &&
    fail "banned function"
  grep -nE 'TODO|FIXME|\bXXX\b' $everything && fail "left open"
  grep -nP '\t| +$' $everything && fail "tabs or trailing blanks"
  clang-format --dry-run -Werror $everything >/dev/null 2>&1 ||
    fail "not formatted: make format"
  for f in $everything; do
    lines=$(wc -l <"$f")
    case $f in *tables*) continue ;; esac
    [ "$lines" -le 600 ] || fail "$f has $lines lines (600 at most)"
  done
  # Functions of the product: none over 60 lines, half of them at most 15.
  ctags --c-kinds=f --fields=+ne -f - $(git ls-files 'libgguf/*.c' 'quant/*.c' 'model/*.c' 'tools/*.c') 2>/dev/null |
    awk -F'\t' '{ l = e = 0
      for (i = 4; i <= NF; i++) { if ($i ~ /^line:/) l = substr($i, 6); if ($i ~ /^end:/) e = substr($i, 5) }
      if (e) print e - l + 1, $2 ":" l, $1 }' | sort -n |
    awk '{ n[NR] = $1; if ($1 > 60) { print "lint: " $2 " " $3 " has " $1 " lines"; long = 1 } }
      END { m = n[int((NR + 1) / 2)]; if (m > 15) { print "lint: median function length " m; long = 1 } exit long }' ||
    fail "function length"
  cppcheck --quiet --std=c11 -D__GNUC__=12 --error-exitcode=1 --inline-suppr --enable=warning,performance,portability \
    --suppress=missingIncludeSystem -I. $(git ls-files 'libgguf/*.c' 'quant/*.c' 'model/*.c' 'tools/*.c') ||
    fail "cppcheck"
  printf '%s\n' $(git ls-files 'libgguf/*.c' 'quant/*.c' 'model/*.c' 'tools/*.c') |
    xargs -P 2 -n 4 sh -c 'clang-tidy --quiet "$@" -- -std=c11 $CPPFLAGS_ALL -fopenmp 2>/dev/null' tidy |
    grep -E 'warning:|error:' && fail "clang-tidy"
}
[ "$bad" -eq 0 ] && echo "lint: no findings"
exit $bad
