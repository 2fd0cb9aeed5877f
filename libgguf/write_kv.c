/* Metadata values in the byte order of the output, always in the sizes of version 3. */
#include "libgguf/bytes.h"
#include "libgguf/writer.h"

#include <stdlib.h>

static const char wrong_size[] = "the bytes of the value do not match its type and count";

void gguf_put_bytes(struct gguf_buffer *b, const void *data, size_t size)
{
    if (b->failed || size == 0)
        return;
    if (size > b->capacity - b->size) {
        /* half as much again, so that many small pieces stay linear */
        size_t capacity = b->size + size + b->size / 2;
        unsigned char *grown = size > SIZE_MAX / 4 ? NULL : realloc(b->data, capacity);
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

/* The elements of an array of strings or arrays, which must fill its bytes exactly. */
static const char *put_items(struct gguf_buffer *b, struct gguf_value v, int depth);

static const char *put_payload(struct gguf_buffer *b, struct gguf_value v, int depth)
{
    size_t width = gguf_value_type_size((enum gguf_value_type)v.item);
    if (!gguf_value_type_name((enum gguf_value_type)v.item) ||
        (v.type != GGUF_VALUE_ARRAY && v.type != v.item))
        return "there is no such type of value";
    if (v.type == GGUF_VALUE_STRING) {
        gguf_put_string(b, (struct gguf_str){(const char *)v.data, (size_t)v.size});
        return NULL;
    }
    if (v.type == GGUF_VALUE_ARRAY) {
        if (depth == GGUF_MAX_DEPTH)
            return "arrays are nested deeper than 4";
        gguf_put_uint(b, v.item, 4);
        gguf_put_uint(b, v.count, 8);
    }
    if (width == 0)
        return put_items(b, v, depth);
    if (v.size % width != 0 || v.size / width != v.count)
        return wrong_size;
    put_numbers(b, v, width);
    return NULL;
}

static const char *put_items(struct gguf_buffer *b, struct gguf_value v, int depth)
{
    const char *wrong = NULL;
    struct gguf_iter it = gguf_items(v);
    for (struct gguf_value item; !wrong && gguf_next(&it, &item);)
        wrong = item.data || item.size == 0 ? put_payload(b, item, depth + 1) : wrong_size;
    return wrong || it.position == v.size ? wrong : wrong_size;
}

const char *gguf_put_value(struct gguf_buffer *b, struct gguf_value value)
{
    gguf_put_uint(b, value.type, 4);
    return put_payload(b, value, 0);
}
