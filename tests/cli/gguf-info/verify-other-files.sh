printf '<!DOCTYPE html>\n<html><head><title>404</title></head></html>\n' >"$TMP/page.gguf"
printf 'version https://git-lfs.github.com/spec/v1\noid sha256:%064d\nsize 7373888\n' 0 >"$TMP/lfs.gguf"
head -c 4096 /dev/zero >"$TMP/zero.gguf"
head -c 1000000 fixtures/shakespeare-f16.gguf >"$TMP/cut.gguf"
head -c 10000 fixtures/shakespeare-f16.gguf >"$TMP/short.gguf"
: >"$TMP/empty.gguf"
for f in page lfs zero cut short empty; do
  gguf-info --verify "$TMP/$f.gguf"
  echo "exit $?"
done
