/*
 * Builds GGUF files byte by byte, wrong ones too, and opens them from memory. Counts are
 * what the test says, not what follows; nothing is aligned unless raw_data is called.
 */
#ifndef RAW_GGUF_H
#define RAW_GGUF_H

#include "libgguf/gguf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct raw {
    unsigned char *data;
    size_t size, capacity;
    bool big_endian;
    uint32_t version; /* set by raw_start */
};

static inline void raw_bytes(struct raw *r, const void *bytes, size_t n)
{
    if (r->size + n > r->capacity) {
        r->capacity = (r->size + n) * 2;
        r->data = realloc(r->data, r->capacity);
        if (!r->data)
            abort();
    }
    if (n && bytes)
        memcpy(r->data + r->size, bytes, n);
    else if (n)
        memset(r->data + r->size, 0, n);
    r->size += n;
}

static inline void raw_uint(struct raw *r, uint64_t value, size_t width)
{
    unsigned char bytes[8];
    for (size_t i = 0; i < width; i++)
        bytes[i] = (unsigned char)(value >> 8 * (r->big_endian ? width - 1 - i : i));
    raw_bytes(r, bytes, width);
}

/* A count or a length: 32 bits wide in version 1. */
static inline void raw_size(struct raw *r, uint64_t value)
{
    raw_uint(r, value, r->version == 1 ? 4 : 8);
}

static inline void raw_text(struct raw *r, const char *text)
{
    raw_size(r, strlen(text));
    raw_bytes(r, text, strlen(text));
}

static inline void raw_start(struct raw *r, uint32_t version, uint64_t tensors, uint64_t keys)
{
    r->size = 0;
    r->version = version;
    raw_bytes(r, "GGUF", 4);
    raw_uint(r, version, 4);
    raw_size(r, tensors);
    raw_size(r, keys);
}

/* A key and the type of its value, which follows. */
static inline void raw_key(struct raw *r, const char *key, uint32_t type)
{
    raw_text(r, key);
    raw_uint(r, type, 4);
}

static inline void raw_u32(struct raw *r, const char *key, uint32_t value)
{
    raw_key(r, key, GGUF_VALUE_U32);
    raw_uint(r, value, 4);
}

/* The header of an array; its elements follow. */
static inline void raw_array(struct raw *r, uint32_t item, uint64_t count)
{
    raw_uint(r, item, 4);
    raw_size(r, count);
}

/* A tensor of one dimension; its data is up to the test. */
static inline void raw_tensor(struct raw *r, const char *name, uint32_t type, uint64_t ne,
                              uint64_t offset)
{
    raw_text(r, name);
    raw_uint(r, 1, 4);
    raw_size(r, ne);
    raw_uint(r, type, 4);
    raw_uint(r, offset, 8);
}

/* Zeros up to a multiple of `alignment`, then `n` bytes 1, 2, 3, ... */
static inline void raw_data(struct raw *r, size_t alignment, size_t n)
{
    raw_bytes(r, NULL, (alignment - r->size % alignment) % alignment);
    for (size_t i = 0; i < n; i++)
        raw_uint(r, (i + 1) & 0xff, 1);
}

static inline void raw_free(struct raw *r)
{
    free(r->data);
    *r = (struct raw){0};
}

/* Opens the first `size` bytes in a block of exactly that size, so that a sanitizer sees
 * every read past the end, hands the model to `use`, and closes it. */
static inline enum gguf_status raw_try(const void *data, size_t size, unsigned flags,
                                       void (*use)(const struct gguf *), struct gguf_error *err)
{
    struct gguf *model;
    unsigned char *copy = malloc(size ? size : 1);
    if (!copy)
        abort();
    if (size)
        memcpy(copy, data, size);
    enum gguf_status status = gguf_open_memory(&model, copy, size, flags, err);
    if ((status == GGUF_OK) != (model != NULL))
        abort();
    if (model && use)
        use(model);
    gguf_close(model);
    free(copy);
    return status;
}

static inline enum gguf_status raw_status(const struct raw *r)
{
    return raw_try(r->data, r->size, 0, NULL, NULL);
}

/* Writes bytes to a file; false if that fails. */
static inline bool raw_save(const char *path, const void *data, size_t size)
{
    FILE *f = fopen(path, "wb");
    if (!f)
        return false;
    bool good = size == 0 || fwrite(data, 1, size, f) == size;
    return (fclose(f) == 0) && good;
}

#endif
