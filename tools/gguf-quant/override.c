/* --override-kv KEY=TYPE:VALUE */
#include "tools/gguf-quant/job.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static CLI_NORETURN void die(const char *argument, const char *expected)
{
    cli_die("--override-kv: expected %s, found \"%s\"", expected, argument);
}

/* Names of types as llama-quantize has them, besides those of the format. "int" and
 * "float" keep the type that the key has, where the value fits. */
static const struct {
    const char *name;
    enum gguf_value_type type;
    bool loose;
} type_names[] = {
    {"int", GGUF_VALUE_I64, true},
    {"float", GGUF_VALUE_F32, true},
    {"str", GGUF_VALUE_STRING, false},
};

/* A parsed argument; the number's bits are those of its widest type. */
struct override {
    const char *argument, *text; /* text: the value */
    char key[256];
    enum gguf_value_type type;
    bool loose;
};

static enum gguf_value_type type_of(const char *argument, const char *name, bool *loose)
{
    enum gguf_value_type type;
    *loose = false;
    for (size_t i = 0; i < sizeof type_names / sizeof type_names[0]; i++) {
        if (strcmp(name, type_names[i].name) == 0) {
            *loose = type_names[i].loose;
            return type_names[i].type;
        }
    }
    if (!gguf_value_type_by_name(name, &type) || type == GGUF_VALUE_ARRAY)
        die(argument, "a type: int, float, bool, str, u8 to u64, i8 to i64, f32 or f64");
    return type;
}

static struct override parse(const char *argument)
{
    struct override o = {.argument = argument};
    const char *equals = strchr(argument, '=');
    const char *colon = equals ? strchr(equals, ':') : NULL;
    char name[16];
    if (!colon || equals == argument || (size_t)(equals - argument) >= sizeof o.key ||
        (size_t)(colon - equals) > sizeof name)
        die(argument, "KEY=TYPE:VALUE");
    memcpy(o.key, argument, (size_t)(equals - argument));
    memcpy(name, equals + 1, (size_t)(colon - equals) - 1);
    name[colon - equals - 1] = '\0';
    o.text = colon + 1;
    o.type = type_of(argument, name, &o.loose);
    return o;
}

/* ---- Numbers --------------------------------------------------------------------- */

/* A number of either sign, as far as 64 bits go. */
struct number {
    bool negative;
    uint64_t magnitude;
};

static struct number parse_integer(const struct override *o)
{
    struct number n = {.negative = o->text[0] == '-'};
    const char *digits = o->text + n.negative;
    char *end;
    errno = 0;
    n.magnitude = strtoull(digits, &end, 10);
    if (digits[0] < '0' || digits[0] > '9' || *end || errno)
        die(o->argument, "a whole number");
    return n;
}

/* The largest magnitude of an integer type, for either sign; 0 for other types. */
static uint64_t limit_of(enum gguf_value_type type, bool negative)
{
    unsigned bits = (unsigned)gguf_value_type_size(type) * 8;
    switch (type) {
    case GGUF_VALUE_U8:
    case GGUF_VALUE_U16:
    case GGUF_VALUE_U32:
    case GGUF_VALUE_U64:
        return negative ? 0 : UINT64_MAX >> (64 - bits);
    case GGUF_VALUE_I8:
    case GGUF_VALUE_I16:
    case GGUF_VALUE_I32:
    case GGUF_VALUE_I64:
        return (UINT64_MAX >> (65 - bits)) + negative;
    default:
        return 0;
    }
}

/* The type for an "int": the one that the key has, or the smallest usual one. */
static enum gguf_value_type integer_type(const struct gguf_kv *kv, struct number n)
{
    static const enum gguf_value_type usual[] = {GGUF_VALUE_U32, GGUF_VALUE_I32, GGUF_VALUE_I64,
                                                 GGUF_VALUE_U64};
    if (kv && limit_of((enum gguf_value_type)kv->value.type, n.negative) >= n.magnitude &&
        limit_of((enum gguf_value_type)kv->value.type, false) > 0)
        return (enum gguf_value_type)kv->value.type;
    for (size_t i = 0; i < sizeof usual / sizeof usual[0]; i++) {
        if (limit_of(usual[i], n.negative) >= n.magnitude)
            return usual[i];
    }
    return GGUF_VALUE_I64;
}

static uint64_t float_bits(enum gguf_value_type type, double value)
{
    uint64_t bits = 0;
    float narrow = (float)value;
    if (type == GGUF_VALUE_F32)
        memcpy(&bits, &narrow, sizeof narrow);
    else
        memcpy(&bits, &value, sizeof value);
    return bits;
}

/* The encoded bits of a number or bool; settles o->type. */
static uint64_t number_bits(struct override *o, const struct gguf_kv *kv)
{
    if (o->type == GGUF_VALUE_BOOL) {
        if (strcmp(o->text, "true") != 0 && strcmp(o->text, "false") != 0)
            die(o->argument, "true or false");
        return o->text[0] == 't';
    }
    if (o->type == GGUF_VALUE_F32 || o->type == GGUF_VALUE_F64) {
        char *end;
        double value = strtod(o->text, &end);
        if (end == o->text || *end)
            die(o->argument, "a number");
        if (o->loose && kv && kv->value.type == GGUF_VALUE_F64)
            o->type = GGUF_VALUE_F64;
        return float_bits(o->type, value);
    }
    struct number n = parse_integer(o);
    if (o->loose)
        o->type = integer_type(kv, n);
    if (n.magnitude > limit_of(o->type, n.negative))
        die(o->argument, "a number within the type's range");
    return n.negative ? 0 - n.magnitude : n.magnitude;
}

void override_apply(struct gguf_writer *writer, const struct gguf *model, const char *argument)
{
    struct gguf_error err;
    struct override o = parse(argument);
    unsigned char raw[8];
    struct gguf_value value = {.count = 1, .data = raw};
    if (o.type == GGUF_VALUE_STRING) {
        value.data = (const unsigned char *)o.text;
        value.size = strlen(o.text);
    } else {
        uint64_t bits = number_bits(&o, gguf_kv_find(model, o.key));
        for (size_t i = 0; i < sizeof raw; i++)
            raw[i] = (unsigned char)(bits >> 8 * i);
        value.size = gguf_value_type_size(o.type);
    }
    value.type = value.item = (uint8_t)o.type;
    if (gguf_writer_set(writer, (struct gguf_str){o.key, strlen(o.key)}, value, &err))
        cli_die("--override-kv: %s", err.message);
}
