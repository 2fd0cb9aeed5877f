/* Strings of a file made fit for a terminal. */
#include "libgguf/gguf.h"

#include <stdio.h>
#include <string.h>

bool gguf_str_equal(struct gguf_str a, const char *b)
{
    return a.size == strlen(b) && memcmp(a.data, b, a.size) == 0;
}

/* Decodes one code point of well-formed UTF-8 (no overlong forms, no surrogates, at
 * most U+10FFFF). Returns its length in bytes, or 0 if the bytes are not UTF-8. */
static size_t decode_utf8(const unsigned char *p, size_t size, uint32_t *code)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t n = p[0] < 0x80 ? 1 : p[0] < 0xc2 ? 0 : p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : p[0] < 0xf5 ? 4 : 0;
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
static bool is_unsafe(uint32_t c)
{
    return c < 0x20 || (c >= 0x7f && c <= 0x9f) || c == 0x061c || c == 0x200e || c == 0x200f ||
           (c >= 0x2028 && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069) || c == 0xfeff;
}

/* Writes the printable form of what is at `p` into `form` and returns how many bytes of
 * input it stands for. */
static size_t escape_one(const unsigned char *p, size_t size, char form[16])
{
    uint32_t c;
    size_t n = decode_utf8(p, size, &c);
    if (n == 0) {
        snprintf(form, 16, "\\x%02X", p[0]);
        return 1;
    }
    if (c == '\n' || c == '\t' || c == '\r')
        snprintf(form, 16, "\\%c", c == '\n' ? 'n' : c == '\t' ? 't' : 'r');
    else if (is_unsafe(c))
        snprintf(form, 16, c < 0x80 ? "\\x%02X" : "\\u{%04X}", (unsigned)c);
    else {
        memcpy(form, p, n);
        form[n] = '\0';
    }
    return n;
}

size_t gguf_str_escape(char *out, size_t out_size, struct gguf_str s)
{
    const unsigned char *p = (const unsigned char *)s.data;
    size_t used = 0, cut = 0; /* `cut`: the last place where "..." still fits */
    if (out_size == 0)
        return 0;
    for (size_t i = 0; i < s.size;) {
        char form[16];
        i += escape_one(p + i, s.size - i, form);
        size_t n = strlen(form);
        if (used + n >= out_size) {
            used = cut;
            int dots = snprintf(out + used, out_size - used, "...");
            return used + (dots < (int)(out_size - used) ? (size_t)dots : out_size - used - 1);
        }
        memcpy(out + used, form, n);
        used += n;
        if (used + 4 <= out_size)
            cut = used;
    }
    out[used] = '\0';
    return used;
}
