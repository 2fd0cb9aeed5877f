/* Headers made in memory: see header.h. */
#include "tools/common/header.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/common/cli.h"

struct bytes {
    unsigned char *data;
    size_t size, capacity;
};

struct header {
    char architecture[64];
    struct bytes keys, tensors, file;
    uint64_t n_keys, n_tensors;
};

static void put(struct bytes *b, const void *data, size_t size)
{
    if (size > b->capacity - b->size) {
        b->capacity = b->capacity * 2 + size + 4096;
        b->data = cli_grow(b->data, b->capacity, 1);
    }
    if (size)
        memcpy(b->data + b->size, data, size);
    b->size += size;
}

static void put_uint(struct bytes *b, uint64_t value, size_t width)
{
    unsigned char raw[8];
    for (size_t i = 0; i < width; i++)
        raw[i] = (unsigned char)(value >> 8 * i);
    put(b, raw, width);
}

static void put_string(struct bytes *b, const char *text)
{
    put_uint(b, strlen(text), 8);
    put(b, text, strlen(text));
}

struct header *header_new(const char *architecture)
{
    struct header *h = cli_alloc(1, sizeof *h);
    snprintf(h->architecture, sizeof h->architecture, "%s", architecture);
    put_string(&h->keys, "general.architecture");
    put_uint(&h->keys, GGUF_VALUE_STRING, 4);
    put_string(&h->keys, h->architecture);
    h->n_keys = 1;
    return h;
}

void header_free(struct header *header)
{
    if (!header)
        return;
    free(header->keys.data);
    free(header->tensors.data);
    free(header->file.data);
    free(header);
}

void header_u32(struct header *header, const char *suffix, uint32_t value)
{
    char key[128];
    snprintf(key, sizeof key, "%s.%s", header->architecture, suffix);
    put_string(&header->keys, key);
    put_uint(&header->keys, GGUF_VALUE_U32, 4);
    put_uint(&header->keys, value, 4);
    header->n_keys++;
}

void header_tensor(struct header *header, const char *name, uint32_t type,
                   const uint64_t shape[3])
{
    uint32_t n_dims = shape[2] > 1 ? 3 : shape[1] > 1 ? 2 : 1;
    put_string(&header->tensors, name);
    put_uint(&header->tensors, n_dims, 4);
    for (uint32_t i = 0; i < n_dims; i++)
        put_uint(&header->tensors, shape[i], 8);
    put_uint(&header->tensors, type, 4);
    put_uint(&header->tensors, 0, 8);
    header->n_tensors++;
}

struct gguf *header_open(struct header *header)
{
    struct gguf *model;
    struct bytes *f = &header->file;
    f->size = 0;
    put(f, "GGUF", 4);
    put_uint(f, 3, 4);
    put_uint(f, header->n_tensors, 8);
    put_uint(f, header->n_keys, 8);
    put(f, header->keys.data, header->keys.size);
    put(f, header->tensors.data, header->tensors.size);
    if (gguf_open_memory(&model, f->data, f->size, GGUF_OPEN_INSPECT, NULL))
        return NULL;
    return model;
}
