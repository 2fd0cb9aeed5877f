/*
 * Small whole models of any architecture, for what the sizes in a file can do. A test says the
 * keys, and which of the optional tensors there are; the tensors that the library then asks
 * for, and their shapes, are taken from its errors.
 */
#ifndef TINY_MODEL_H
#define TINY_MODEL_H

#include "model/model.h"
#include "tests/unit/tiny_gguf.h"

#include <stdlib.h>

#define TINY_KEYS    48
#define TINY_TENSORS 160

enum tiny_kind { TINY_U32, TINY_F32, TINY_LAYERS };

/* "ARCHITECTURE.suffix": a number, a float that is `number` / 16, or an array with
 * a number of four bits for each of `tiny_layers` layers, the lowest first. */
struct tiny_key {
    const char *suffix;
    enum tiny_kind kind;
    uint32_t number;
};

struct tiny_part {
    char name[64];
    uint64_t ne[3];
};

struct tiny_model {
    const char *architecture;
    struct tiny_key keys[TINY_KEYS];
    size_t n_keys;
    struct tiny_part parts[TINY_TENSORS];
    size_t n_parts;
    uint32_t layers; /* length of arrays */
    uint32_t type;   /* F32, F16 or Q8_0; matrices whose rows are no blocks are F32 */
    size_t shift;    /* bytes from an aligned address to the file in memory, below 16 */
    struct tiny file;
};

/* Sets a key, in the place of one that is there. */
static inline void tiny_key(struct tiny_model *m, const char *suffix, enum tiny_kind kind,
                            uint32_t number)
{
    size_t i = 0;
    while (i < m->n_keys && strcmp(m->keys[i].suffix, suffix) != 0)
        i++;
    if (i == TINY_KEYS)
        return;
    m->n_keys += i == m->n_keys;
    m->keys[i] = (struct tiny_key){suffix, kind, number};
}

/* A tensor that need not be there; its shape comes later. */
static inline struct tiny_part *tiny_part(struct tiny_model *m, const char *name)
{
    size_t i = 0;
    while (i < m->n_parts && strcmp(m->parts[i].name, name) != 0)
        i++;
    if (i == TINY_TENSORS)
        return NULL;
    if (i == m->n_parts) {
        (void)snprintf(m->parts[i].name, sizeof m->parts[i].name, "%s", name);
        m->parts[i].ne[0] = m->parts[i].ne[1] = m->parts[i].ne[2] = 1;
        m->n_parts++;
    }
    return &m->parts[i];
}

static inline void tiny_put_key(struct tiny_model *m, const struct tiny_key *key)
{
    char name[128];
    float real = (float)key->number / 16.0f;
    uint32_t bits;
    memcpy(&bits, &real, sizeof bits);
    (void)snprintf(name, sizeof name, "%s.%s", m->architecture, key->suffix);
    if (key->kind == TINY_U32) {
        tiny_u32(&m->file, name, key->number);
        return;
    }
    tiny_text(&m->file, name);
    m->file.keys++;
    tiny_put(&m->file, key->kind == TINY_F32 ? GGUF_VALUE_F32 : GGUF_VALUE_ARRAY, 4);
    if (key->kind == TINY_F32) {
        tiny_put(&m->file, bits, 4);
        return;
    }
    tiny_put(&m->file, GGUF_VALUE_U32, 4);
    tiny_put(&m->file, m->layers, 8);
    for (uint32_t il = 0; il < m->layers; il++)
        tiny_put(&m->file, key->number >> (il * 4 % 32) & 15, 4);
}

/* Values within 0.25, or blocks of about that size, the same for the same name. */
static inline void tiny_values(unsigned char *out, uint64_t bytes, uint32_t type,
                               const char *name)
{
    uint32_t random = 2166136261u;
    for (const char *c = name; *c; c++)
        random = (random ^ (unsigned char)*c) * 16777619u;
    for (uint64_t i = 0; i < bytes; i += type == GGUF_F32 ? 4 : 1) {
        random = random * 1664525u + 1013904223u;
        float value = (float)(random >> 8) / (float)(1 << 25) - 0.25f;
        if (type == GGUF_F32)
            memcpy(out + i, &value, sizeof value);
        else if (type == GGUF_F16) /* 2^-7 to 2^-2 */
            out[i] = (unsigned char)(i % 2 == 0 ? random >> 24 : 0x20 + (random >> 28));
        else
            out[i] = (unsigned char)(i % 34 == 0 ? 0 : i % 34 == 1 ? 0x18 : random >> 24);
    }
}

/* Puts the file together; false if it would be larger than `struct tiny`. */
static inline bool tiny_build(struct tiny_model *m)
{
    static unsigned char values[sizeof m->file.data];
    struct tiny *t = &m->file;
    t->head_size = t->data_size = 0;
    t->keys = t->tensors = 0;
    tiny_string(t, "general.architecture", m->architecture);
    for (size_t i = 0; i < m->n_keys; i++)
        tiny_put_key(m, &m->keys[i]);
    for (size_t i = 0; i < m->n_parts; i++) {
        const struct tiny_part *p = &m->parts[i];
        const struct gguf_type_info *info = gguf_type_find(m->type);
        bool blocks = p->ne[1] > 1 && p->ne[0] % info->block_elements == 0;
        uint32_t type = blocks ? m->type : GGUF_F32;
        uint64_t bytes = 0, elements = 1;
        for (int d = 0; d < 3; d++) {
            if (p->ne[d] > sizeof values)
                return false;
            elements *= elements > sizeof values ? 1 : p->ne[d];
        }
        if (elements > sizeof values || !gguf_type_bytes(type, elements, &bytes) ||
            bytes + t->data_size + 32 > sizeof values || t->head_size + 256 > sizeof t->head)
            return false;
        tiny_values(values, bytes, type, p->name);
        tiny_tensor(t, p->name, type, p->ne, values);
    }
    tiny_finish(t);
    memmove(t->file + m->shift, t->file, t->file_size);
    return true;
}

/* The text between the first two quotes of an error. */
static inline bool tiny_quoted(const char *message, char *out, size_t size)
{
    const char *from = strchr(message, '\''), *to = from ? strchr(from + 1, '\'') : NULL;
    if (!to || (size_t)(to - from) > size)
        return false;
    memcpy(out, from + 1, (size_t)(to - from) - 1);
    out[to - from - 1] = 0;
    return true;
}

/* Adds the tensor that is missing, or gives it the shape that is expected. */
static inline bool tiny_mend(struct tiny_model *m, const struct gguf_error *err)
{
    static const char expected[] = "expected [";
    char name[64];
    const char *at = strstr(err->message, expected);
    if (strncmp(err->message, "tensor '", 8) != 0 ||
        !tiny_quoted(err->message, name, sizeof name))
        return false;
    size_t before = m->n_parts;
    struct tiny_part *part = tiny_part(m, name);
    if (!part)
        return false;
    if (!at)
        return m->n_parts > before;
    at += sizeof expected - 1;
    for (int d = 0; d < 3; d++) {
        char *end;
        part->ne[d] = *at == ']' ? 1 : strtoull(at, &end, 10);
        at = *at == ']' ? at : *end == ',' ? end + 1 : end;
    }
    return true;
}

/* The model, with the tensors that it asks for. On failure *gguf is NULL, and `err` says what
 * is wrong besides tensors; it has no message where the model would be too large. */
static inline enum gguf_status tiny_open(struct tiny_model *m, struct gguf **gguf,
                                         struct model **model,
                                         const struct model_settings *settings,
                                         struct gguf_error *err)
{
    for (size_t step = 0; step < 3 * TINY_TENSORS; step++) {
        *err = (struct gguf_error){0};
        if (!tiny_build(m))
            break;
        enum gguf_status status =
            gguf_open_memory(gguf, m->file.file + m->shift, m->file.file_size, 0, err);
        if (status != GGUF_OK)
            return status;
        status = model_open(model, *gguf, settings, err);
        if (status == GGUF_OK)
            return status;
        gguf_close(*gguf);
        *gguf = NULL;
        if (!tiny_mend(m, err))
            return status;
    }
    return GGUF_ERR_ARGUMENT;
}

#endif
