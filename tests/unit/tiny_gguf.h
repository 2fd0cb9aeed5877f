/* Builds small GGUF files in memory: keys first, then tensors, then tiny_finish. */
#ifndef TINY_GGUF_H
#define TINY_GGUF_H

#include "libgguf/gguf.h"

#include <stdio.h>
#include <string.h>

struct tiny {
    unsigned char head[1 << 16];
    unsigned char data[1 << 18];
    unsigned char file[(1 << 16) + (1 << 18) + 32];
    size_t head_size, data_size, file_size;
    uint64_t keys, tensors;
};

static inline void tiny_put(struct tiny *t, uint64_t value, int bytes)
{
    for (int i = 0; i < bytes; i++)
        t->head[t->head_size++] = (unsigned char)(value >> (8 * i));
}

static inline void tiny_text(struct tiny *t, const char *text)
{
    tiny_put(t, strlen(text), 8);
    memcpy(t->head + t->head_size, text, strlen(text));
    t->head_size += strlen(text);
}

static inline void tiny_string(struct tiny *t, const char *key, const char *value)
{
    tiny_text(t, key);
    tiny_put(t, GGUF_VALUE_STRING, 4);
    tiny_text(t, value);
    t->keys++;
}

static inline void tiny_u32(struct tiny *t, const char *key, uint32_t value)
{
    tiny_text(t, key);
    tiny_put(t, GGUF_VALUE_U32, 4);
    tiny_put(t, value, 4);
    t->keys++;
}

/* An array with one element. */
static inline void tiny_strings(struct tiny *t, const char *key, const char *value)
{
    tiny_text(t, key);
    tiny_put(t, GGUF_VALUE_ARRAY, 4);
    tiny_put(t, GGUF_VALUE_STRING, 4);
    tiny_put(t, 1, 8);
    tiny_text(t, value);
    t->keys++;
}

/* A tensor of three sizes; `values` is its little-endian data, or NULL for zeros. */
static inline void tiny_tensor(struct tiny *t, const char *name, uint32_t type,
                               const uint64_t ne[3], const void *values)
{
    uint64_t bytes = 0;
    tiny_text(t, name);
    tiny_put(t, 3, 4);
    for (int i = 0; i < 3; i++)
        tiny_put(t, ne[i], 8);
    tiny_put(t, type, 4);
    tiny_put(t, t->data_size, 8);
    gguf_type_bytes(type, ne[0] * ne[1] * ne[2], &bytes);
    if (values)
        memcpy(t->data + t->data_size, values, bytes);
    t->data_size = (t->data_size + bytes + 31) / 32 * 32;
    t->tensors++;
}

/* Puts the file together in t->file. */
static inline void tiny_finish(struct tiny *t)
{
    unsigned char start[24] = {'G', 'G', 'U', 'F', 3};
    for (int i = 0; i < 8; i++) {
        start[8 + i] = (unsigned char)(t->tensors >> (8 * i));
        start[16 + i] = (unsigned char)(t->keys >> (8 * i));
    }
    memcpy(t->file, start, sizeof start);
    memcpy(t->file + sizeof start, t->head, t->head_size);
    size_t head = sizeof start + t->head_size, data = (head + 31) / 32 * 32;
    memset(t->file + head, 0, data - head);
    memcpy(t->file + data, t->data, t->data_size);
    t->file_size = data + t->data_size;
}

#endif
