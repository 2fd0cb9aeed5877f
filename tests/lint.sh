#!/bin/sh
# Banned functions in our own code.
if git grep -nE '\b(sprintf|strcpy|strcat|gets|atoi|alloca)\s*\(' -- '*.c' '*.h'; then
  echo "lint: banned function" >&2
  exit 1
fi
