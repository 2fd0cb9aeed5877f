/* Strings of a file: compared, and made fit for a terminal. */
#include "libgguf/gguf.h"
#include "libgguf/utf8.h"

#include <stdio.h>
#include <string.h>

bool gguf_str_equal(struct gguf_str a, const char *b)
{
    return a.size == strlen(b) && memcmp(a.data, b, a.size) == 0;
}

int gguf_str_compare(struct gguf_str a, struct gguf_str b)
{
    size_t shared = a.size < b.size ? a.size : b.size;
    int order = shared ? memcmp(a.data, b.data, shared) : 0;
    return order ? order : (a.size > b.size) - (a.size < b.size);
}

/* Writes the printable form of what is at `p` into `form` and returns how many bytes of
 * input it stands for. */
static size_t escape_one(const unsigned char *p, size_t size, char form[16])
{
    uint32_t c;
    size_t n = gguf_utf8_decode(p, size, &c);
    if (n == 0) {
        snprintf(form, 16, "\\x%02X", p[0]);
        return 1;
    }
    if (c == '\n' || c == '\t' || c == '\r')
        snprintf(form, 16, "\\%c", c == '\n' ? 'n' : c == '\t' ? 't' : 'r');
    else if (gguf_utf8_is_unsafe(c))
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
