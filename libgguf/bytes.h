/*
 * A bounds-checked cursor over the bytes of a header: the only code that touches untrusted
 * bytes. A read past the end sets `short_of` and yields zeros from then on, so that a
 * parser may read a record whole and check once.
 */
#ifndef LIBGGUF_BYTES_H
#define LIBGGUF_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "libgguf/gguf.h"

struct cursor {
    const unsigned char *data;
    uint64_t size, pos;
    bool big_endian;
    bool short_sizes; /* counts and lengths are 32 bits wide: version 1 */
    bool short_of;    /* something was read past the end */
};

/* An unsigned integer of `width` bytes (1 to 8) in the given byte order. */
static inline uint64_t bytes_load(const unsigned char *p, size_t width, bool big_endian)
{
    uint64_t v = 0;
    if (width == 8 && !big_endian) { /* the usual one, which compilers make a single load */
        for (size_t i = 0; i < 8; i++)
            v |= (uint64_t)p[i] << 8 * i;
        return v;
    }
    for (size_t i = 0; i < width; i++)
        v |= (uint64_t)p[i] << 8 * (big_endian ? width - 1 - i : i);
    return v;
}

static inline uint64_t cursor_left(const struct cursor *c)
{
    return c->size - c->pos;
}

/* The next `n` bytes, or NULL past the end. */
static inline const unsigned char *cursor_take(struct cursor *c, uint64_t n)
{
    if (c->short_of || n > cursor_left(c)) {
        c->short_of = true;
        return NULL;
    }
    const unsigned char *p = c->data + c->pos;
    c->pos += n;
    return p;
}

static inline uint64_t cursor_uint(struct cursor *c, size_t width)
{
    const unsigned char *p = cursor_take(c, width);
    return p ? bytes_load(p, width, c->big_endian) : 0;
}

static inline uint32_t cursor_u32(struct cursor *c)
{
    return (uint32_t)cursor_uint(c, 4);
}

/* A count, a length or a dimension. */
static inline uint64_t cursor_size(struct cursor *c)
{
    return cursor_uint(c, c->short_sizes ? 4 : 8);
}

#endif
