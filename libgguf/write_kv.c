/* Metadata values in the byte order of the output, always in the sizes of version 3. */
#include "libgguf/bytes.h"
#include "libgguf/writer.h"

#include <stdlib.h>

void gguf_put_bytes(struct gguf_buffer *b, const void *data, size_t size)
{
    if (b->failed || size == 0)
        return;
    if (size > b->capacity - b->size) {
        size_t capacity = b->capacity + size;
        capacity += capacity / 2;
        unsigned char *grown = capacity < b->capacity ? NULL : realloc(b->data, capacity);
        if (!grown) {
            b->failed = true;
            return;
        }
        b->data = grown;
        b->capacity = capacity;
    }
    memcpy(b->data + b->size, data, size);
    b->size += size;
}

void gguf_put_uint(struct gguf_buffer *b, uint64_t value, size_t width)
{
    unsigned char raw[8];
    for (size_t i = 0; i < width; i++)
        raw[i] = (unsigned char)(value >> 8 * (b->big_endian ? width - 1 - i : i));
    gguf_put_bytes(b, raw, width);
}

void gguf_put_string(struct gguf_buffer *b, struct gguf_str s)
{
    gguf_put_uint(b, s.size, 8);
    gguf_put_bytes(b, s.data, s.size);
}

/* `count` numbers of one width: copied, or turned round. */
static void put_numbers(struct gguf_buffer *b, struct gguf_value v, size_t width)
{
    if (width == 1 || v.big_endian == b->big_endian) {
        gguf_put_bytes(b, v.data, (size_t)v.count * width);
        return;
    }
    for (uint64_t i = 0; i < v.count; i++)
        gguf_put_uint(b, bytes_load(v.data + i * width, width, v.big_endian), width);
}

static bool put_payload(struct gguf_buffer *b, struct gguf_value v, int depth)
{
    struct gguf_str s;
    if (v.type != GGUF_VALUE_ARRAY) {
        if (gguf_value_string(v, &s))
            gguf_put_string(b, s);
        else
            put_numbers(b, v, gguf_value_type_size((enum gguf_value_type)v.type));
        return true;
    }
    if (depth == GGUF_MAX_DEPTH)
        return false;
    gguf_put_uint(b, v.item, 4);
    gguf_put_uint(b, v.count, 8);
    size_t width = gguf_value_type_size((enum gguf_value_type)v.item);
    if (width) {
        put_numbers(b, v, width);
        return true;
    }
    struct gguf_iter it = gguf_items(v);
    for (struct gguf_value item; gguf_next(&it, &item);) {
        if (!put_payload(b, item, depth + 1))
            return false;
    }
    return true;
}

bool gguf_put_value(struct gguf_buffer *b, struct gguf_value value)
{
    gguf_put_uint(b, value.type, 4);
    return put_payload(b, value, 0);
}
