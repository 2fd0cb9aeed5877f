/* The text of single things: types, shapes, numbers, metadata values. */
#include "tools/gguf-info/info.h"

#include "libgguf/checked.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

#define SHORT_STRING 72 /* bytes of a string in shortened output */
#define SHORT_ARRAY  6  /* elements of an array */

struct text_type text_type(uint32_t type)
{
    struct text_type t;
    const struct gguf_type_info *info = gguf_type_find(type);
    if (info)
        snprintf(t.text, sizeof t.text, "%s", info->name);
    else
        snprintf(t.text, sizeof t.text, "unknown(%" PRIu32 ")", type);
    return t;
}

struct text_type text_value_type(struct gguf_value value)
{
    struct text_type t;
    if (value.type == GGUF_VALUE_ARRAY)
        snprintf(t.text, sizeof t.text, "%s[%" PRIu64 "]",
                 gguf_value_type_name((enum gguf_value_type)value.item), value.count);
    else
        snprintf(t.text, sizeof t.text, "%s",
                 gguf_value_type_name((enum gguf_value_type)value.type));
    return t;
}

struct text_number text_number(double value, bool single)
{
    struct text_number t;
    if (isnan(value) || isinf(value)) {
        snprintf(t.text, sizeof t.text, "%s",
                 isnan(value) ? "NaN" : (value > 0 ? "Infinity" : "-Infinity"));
        return t;
    }
    for (int digits = 6; digits <= (single ? 9 : 17); digits++) {
        snprintf(t.text, sizeof t.text, "%.*g", digits, value);
        if (single ? strtof(t.text, NULL) == (float)value : strtod(t.text, NULL) == value)
            break;
    }
    return t;
}

struct text_shape text_shape(const struct gguf_tensor *tensor)
{
    struct text_shape t = {"["};
    int used = 1;
    for (uint32_t i = 0; i < tensor->n_dims && i < GGUF_MAX_DIMS; i++)
        used += snprintf(t.text + used, sizeof t.text - (size_t)used, "%s%" PRIu64,
                         i ? ", " : "", tensor->ne[i]);
    snprintf(t.text + used, sizeof t.text - (size_t)used, "]");
    return t;
}

struct text_shape text_plural(uint64_t count, const char *noun)
{
    struct text_shape t;
    snprintf(t.text, sizeof t.text, "%s %s%s", term_grouped(count).text, noun,
             count == 1 ? "" : "s");
    return t;
}

uint64_t add_saturated(uint64_t a, uint64_t b)
{
    uint64_t sum;
    return checked_add(a, b, &sum) ? sum : CHECKED_MAX;
}

/* ---- Metadata values --------------------------------------------------------------- */

static void print_scalar(FILE *stream, struct gguf_value value, bool full)
{
    uint64_t u;
    int64_t i;
    double f;
    bool b;
    struct gguf_str s;
    if (gguf_value_string(value, &s)) {
        fputc('"', stream);
        term_print_str(stream, s, full ? 0 : SHORT_STRING);
        fputc('"', stream);
    } else if (gguf_value_bool(value, &b)) {
        fputs(b ? "true" : "false", stream);
    } else if (gguf_value_u64(value, &u)) {
        fprintf(stream, "%" PRIu64, u);
    } else if (gguf_value_i64(value, &i)) {
        fprintf(stream, "%" PRId64, i);
    } else if (gguf_value_f64(value, &f)) {
        fputs(text_number(f, value.type == GGUF_VALUE_F32).text, stream);
    }
}

void text_value(FILE *stream, struct gguf_value value, bool full)
{
    if (value.type != GGUF_VALUE_ARRAY) {
        print_scalar(stream, value, full);
        return;
    }
    struct gguf_iter it = gguf_items(value);
    uint64_t n = 0;
    fputc('[', stream);
    for (struct gguf_value item; gguf_next(&it, &item); n++) {
        if (n)
            fputs(", ", stream);
        if (!full && n == SHORT_ARRAY) {
            fputs("...", stream);
            break;
        }
        text_value(stream, item, full); /* at most GGUF_MAX_DEPTH deep */
    }
    fputc(']', stream);
}

char *text_value_new(struct gguf_value value)
{
    char *text = NULL;
    size_t size = 0;
    FILE *stream = open_memstream(&text, &size);
    if (stream)
        text_value(stream, value, false);
    if (!stream || fclose(stream) != 0)
        cli_die_memory();
    return text;
}
