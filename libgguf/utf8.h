/* Code points of UTF-8, and which of them are not fit for a terminal. */
#ifndef LIBGGUF_UTF8_H
#define LIBGGUF_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bytes of the sequence that starts with `first`; 0 if none does. */
static inline size_t gguf_utf8_length(unsigned char first)
{
    if (first < 0x80)
        return 1;
    if (first < 0xc2 || first >= 0xf5)
        return 0;
    return first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
}

/* Decodes one code point of well-formed UTF-8 (no overlong forms, no surrogates, at
 * most U+10FFFF). Returns its length in bytes, or 0 if the bytes are not UTF-8. */
static inline size_t gguf_utf8_decode(const unsigned char *p, size_t size, uint32_t *code)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t n = gguf_utf8_length(p[0]);
    if (n == 0 || n > size)
        return 0;
    uint32_t c = n == 1 ? p[0] : p[0] & (0x7fu >> n);
    for (size_t i = 1; i < n; i++) {
        if ((p[i] & 0xc0) != 0x80)
            return 0;
        c = c << 6 | (p[i] & 0x3fu);
    }
    if (c < least[n] || (c >= 0xd800 && c <= 0xdfff) || c > 0x10ffff)
        return 0;
    *code = c;
    return n;
}

/* Code points that move the cursor, change direction or hide text. */
static inline bool gguf_utf8_is_unsafe(uint32_t c)
{
    return c < 0x20 || (c >= 0x7f && c <= 0x9f) || c == 0x061c || c == 0x200e || c == 0x200f ||
           (c >= 0x2028 && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069) || c == 0xfeff;
}

#endif
