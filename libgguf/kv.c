/* Readers of metadata values. Their bytes were validated at open, so nothing here can run
 * past an end; what can differ is the type that the caller asks for. */
#include "libgguf/bytes.h"
#include "libgguf/internal.h"

#include <string.h>

static const struct {
    const char *name;
    size_t size;
} value_types[] = {
    [GGUF_VALUE_U8] = {"u8", 1},         [GGUF_VALUE_I8] = {"i8", 1},
    [GGUF_VALUE_U16] = {"u16", 2},       [GGUF_VALUE_I16] = {"i16", 2},
    [GGUF_VALUE_U32] = {"u32", 4},       [GGUF_VALUE_I32] = {"i32", 4},
    [GGUF_VALUE_F32] = {"f32", 4},       [GGUF_VALUE_BOOL] = {"bool", 1},
    [GGUF_VALUE_STRING] = {"string", 0}, [GGUF_VALUE_ARRAY] = {"array", 0},
    [GGUF_VALUE_U64] = {"u64", 8},       [GGUF_VALUE_I64] = {"i64", 8},
    [GGUF_VALUE_F64] = {"f64", 8},
};
#define VALUE_TYPES (sizeof value_types / sizeof value_types[0])

const char *gguf_value_type_name(enum gguf_value_type type)
{
    return (unsigned)type < VALUE_TYPES ? value_types[type].name : NULL;
}

bool gguf_value_type_by_name(const char *name, enum gguf_value_type *type)
{
    for (unsigned i = 0; i < VALUE_TYPES; i++) {
        if (strcmp(value_types[i].name, name) == 0) {
            *type = (enum gguf_value_type)i;
            return true;
        }
    }
    return false;
}

size_t gguf_value_type_size(enum gguf_value_type type)
{
    return (unsigned)type < VALUE_TYPES ? value_types[type].size : 0;
}

/* ---- Scalars ----------------------------------------------------------------------- */

/* An integer or bool as its sign and its 64 bits. */
struct integer {
    bool negative;
    uint64_t bits; /* two's complement */
};

static bool read_integer(struct gguf_value value, struct integer *out)
{
    size_t width = gguf_value_type_size((enum gguf_value_type)value.type);
    switch (value.type) {
    case GGUF_VALUE_U8:
    case GGUF_VALUE_U16:
    case GGUF_VALUE_U32:
    case GGUF_VALUE_U64:
    case GGUF_VALUE_BOOL:
        *out = (struct integer){false, bytes_load(value.data, width, value.big_endian)};
        return true;
    case GGUF_VALUE_I8:
    case GGUF_VALUE_I16:
    case GGUF_VALUE_I32:
    case GGUF_VALUE_I64: {
        uint64_t bits = bytes_load(value.data, width, value.big_endian);
        uint64_t sign = UINT64_C(1) << (8 * (width ? width : 1) - 1);
        bool negative = bits & sign;
        if (negative) /* extended to 64 bits */
            bits |= ~(sign - 1);
        *out = (struct integer){negative, bits};
        return true;
    }
    default:
        return false;
    }
}

bool gguf_value_u64(struct gguf_value value, uint64_t *out)
{
    struct integer i;
    if (!read_integer(value, &i) || i.negative)
        return false;
    *out = i.bits;
    return true;
}

bool gguf_value_i64(struct gguf_value value, int64_t *out)
{
    struct integer i;
    if (!read_integer(value, &i) || (!i.negative && i.bits > INT64_MAX))
        return false;
    memcpy(out, &i.bits, sizeof *out);
    return true;
}

static float load_f32(const unsigned char *p, bool big_endian)
{
    uint32_t bits = (uint32_t)bytes_load(p, 4, big_endian);
    float f;
    memcpy(&f, &bits, sizeof f);
    return f;
}

bool gguf_value_f64(struct gguf_value value, double *out)
{
    struct integer i;
    if (value.type == GGUF_VALUE_F32) {
        *out = load_f32(value.data, value.big_endian);
    } else if (value.type == GGUF_VALUE_F64) {
        uint64_t bits = bytes_load(value.data, 8, value.big_endian);
        memcpy(out, &bits, sizeof *out);
    } else if (value.type != GGUF_VALUE_BOOL && read_integer(value, &i)) {
        int64_t s;
        memcpy(&s, &i.bits, sizeof s);
        *out = i.negative ? (double)s : (double)i.bits;
    } else {
        return false;
    }
    return true;
}

bool gguf_value_bool(struct gguf_value value, bool *out)
{
    if (value.type != GGUF_VALUE_BOOL)
        return false;
    *out = value.data[0] != 0;
    return true;
}

bool gguf_value_string(struct gguf_value value, struct gguf_str *out)
{
    if (value.type != GGUF_VALUE_STRING)
        return false;
    *out = (struct gguf_str){(const char *)value.data, (size_t)value.size};
    return true;
}

/* ---- Arrays ---------------------------------------------------------------------------- */

struct gguf_iter gguf_items(struct gguf_value array)
{
    return (struct gguf_iter){.array = array};
}

/* The value that starts at the cursor; its bytes were validated. Arrays of
 * strings or arrays are walked to find their end. */
static struct gguf_value next_value(struct cursor *c, uint8_t type)
{
    struct gguf_value v = {.type = type,
                           .item = type,
                           .big_endian = c->big_endian,
                           .short_sizes = c->short_sizes,
                           .count = 1};
    if (type == GGUF_VALUE_ARRAY) {
        v.item = (uint8_t)cursor_u32(c);
        v.count = cursor_size(c);
        uint64_t start = c->pos;
        size_t width = gguf_value_type_size((enum gguf_value_type)v.item);
        for (uint64_t i = 0; width == 0 && i < v.count; i++)
            next_value(c, v.item);
        cursor_take(c, width * v.count);
        v.data = c->data + start;
        v.size = c->pos - start;
    } else if (type == GGUF_VALUE_STRING) {
        v.size = cursor_size(c);
        v.data = cursor_take(c, v.size);
    } else {
        v.size = gguf_value_type_size((enum gguf_value_type)type);
        v.data = cursor_take(c, v.size);
    }
    return v;
}

bool gguf_next(struct gguf_iter *it, struct gguf_value *item)
{
    if (it->index >= it->array.count)
        return false;
    it->index++;
    if (it->array.type != GGUF_VALUE_ARRAY) {
        *item = it->array;
        return true;
    }
    struct cursor c = {.data = it->array.data,
                       .size = it->array.size,
                       .pos = it->position,
                       .big_endian = it->array.big_endian,
                       .short_sizes = it->array.short_sizes};
    *item = next_value(&c, it->array.item);
    it->position = c.pos;
    return true;
}

bool gguf_value_f32s(struct gguf_value array, float *out, uint64_t count)
{
    if (array.type != GGUF_VALUE_ARRAY || array.item != GGUF_VALUE_F32 || array.count != count)
        return false;
    for (uint64_t i = 0; i < count; i++)
        out[i] = load_f32(array.data + 4 * i, array.big_endian);
    return true;
}

/* ---- By key ---------------------------------------------------------------------------- */

bool gguf_get_u64(const struct gguf *model, const char *key, uint64_t *out)
{
    const struct gguf_kv *kv = gguf_kv_find(model, key);
    return kv && gguf_value_u64(kv->value, out);
}

bool gguf_get_i64(const struct gguf *model, const char *key, int64_t *out)
{
    const struct gguf_kv *kv = gguf_kv_find(model, key);
    return kv && gguf_value_i64(kv->value, out);
}

bool gguf_get_f64(const struct gguf *model, const char *key, double *out)
{
    const struct gguf_kv *kv = gguf_kv_find(model, key);
    return kv && gguf_value_f64(kv->value, out);
}

bool gguf_get_bool(const struct gguf *model, const char *key, bool *out)
{
    const struct gguf_kv *kv = gguf_kv_find(model, key);
    return kv && gguf_value_bool(kv->value, out);
}

bool gguf_get_string(const struct gguf *model, const char *key, struct gguf_str *out)
{
    const struct gguf_kv *kv = gguf_kv_find(model, key);
    return kv && gguf_value_string(kv->value, out);
}

bool gguf_get_array(const struct gguf *model, const char *key, enum gguf_value_type item,
                    struct gguf_value *out)
{
    const struct gguf_kv *kv = gguf_kv_find(model, key);
    if (!kv || kv->value.type != GGUF_VALUE_ARRAY || kv->value.item != item)
        return false;
    *out = kv->value;
    return true;
}

struct gguf_str gguf_architecture(const struct gguf *model)
{
    struct gguf_str name = {"", 0};
    gguf_get_string(model, "general.architecture", &name);
    return name;
}

const struct gguf_kv *gguf_kv_find_arch(const struct gguf *model, const char *suffix)
{
    struct gguf_str arch = gguf_architecture(model);
    size_t n = strlen(suffix);
    char key[256];
    if (arch.size == 0 || arch.size + n + 2 > sizeof key || memchr(arch.data, 0, arch.size))
        return NULL;
    memcpy(key, arch.data, arch.size);
    key[arch.size] = '.';
    memcpy(key + arch.size + 1, suffix, n + 1);
    return gguf_kv_find(model, key);
}

bool gguf_get_arch_u64(const struct gguf *model, const char *suffix, uint64_t *out)
{
    const struct gguf_kv *kv = gguf_kv_find_arch(model, suffix);
    return kv && gguf_value_u64(kv->value, out);
}
