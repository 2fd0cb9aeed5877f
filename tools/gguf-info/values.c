/* --values TENSOR[:N]: the first N decoded values of a tensor. */
#include "tools/gguf-info/info.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_VALUES 64

/* What an argument names. */
struct wanted {
    const struct gguf_tensor *tensor; /* NULL if there is none */
    uint64_t count;                   /* at most the tensor's elements */
};

/* A tensor's name may hold a colon, so the whole argument is tried as a name first. */
static struct wanted find_wanted(const struct gguf *model, const char *argument)
{
    struct wanted w = {gguf_tensor_find(model, argument), DEFAULT_VALUES};
    const char *colon = strrchr(argument, ':');
    if (!w.tensor && colon) {
        size_t n = (size_t)(colon - argument);
        char *name = cli_alloc(n + 1, 1);
        memcpy(name, argument, n);
        w.tensor = gguf_tensor_find(model, name);
        free(name);
        if (w.tensor)
            w.count = cli_parse_u64("values", colon + 1, 0, INT64_MAX);
    }
    if (w.tensor && w.count > w.tensor->elements)
        w.count = w.tensor->elements;
    return w;
}

/* False, with a message, if the argument names nothing that can be decoded. */
static bool check_wanted(struct info *info, const char *argument, struct wanted w)
{
    if (w.tensor && scan_can_decode(w.tensor))
        return true;
    if (!w.tensor)
        cli_error("%s: --values: no tensor is named \"%s\", nor what stands before the last "
                  "colon; --tensors lists the names",
                  info->path, argument);
    else if (!w.tensor->readable)
        cli_error("%s: the data of \"%s\" cannot be read: it is not all in the file, or of an "
                  "unknown type",
                  info->path, argument);
    else
        cli_error("%s: values of type %s cannot be decoded", info->path,
                  text_type(w.tensor->type).text);
    info_worse(info, CLI_TROUBLE);
    return false;
}

/* ---- Decoding, one part at a time --------------------------------------------------- */

typedef void (*values_fn)(void *user, const struct scan_part *part, size_t n);

/* Calls `take` with parts of at most SCAN_ELEMENTS until `count` values are done. */
static bool for_each_part(struct info *info, struct wanted w, values_fn take, void *user)
{
    void *raw = cli_alloc(SCAN_ELEMENTS, 8);
    float *floats = cli_alloc(SCAN_ELEMENTS, sizeof *floats);
    double *values = cli_alloc(SCAN_ELEMENTS, sizeof *values);
    struct gguf_error err;
    bool fine = true;
    for (uint64_t at = 0; at < w.count && fine; at += SCAN_ELEMENTS) {
        uint64_t left = w.tensor->elements - at, offset = 0, bytes = 0;
        size_t n = (size_t)(left < SCAN_ELEMENTS ? left : SCAN_ELEMENTS);
        gguf_type_bytes(w.tensor->type, at, &offset);
        gguf_type_bytes(w.tensor->type, n, &bytes);
        fine = gguf_tensor_read(info->model, w.tensor, offset, raw, (size_t)bytes, &err) ==
               GGUF_OK;
        if (!fine)
            break;
        scan_decode(quant_format_at(w.tensor->type, info->request->cpu), raw, n, floats,
                    values);
        struct scan_part part = {
            .tensor = w.tensor, .first = at, .elements = n, .raw = raw, .values = values};
        take(user, &part, (size_t)(w.count - at < n ? w.count - at : n));
    }
    free(raw);
    free(floats);
    free(values);
    if (!fine) {
        cli_error("%s", err.message);
        info_worse(info, CLI_TROUBLE);
    }
    return fine;
}

/* I64 goes past the 53 bits of a double. */
static bool exact_integer(const struct scan_part *part, size_t i, int64_t *out)
{
    if (part->tensor->type != GGUF_I64)
        return false;
    memcpy(out, (const char *)part->raw + i * sizeof *out, sizeof *out);
    return true;
}

/* ---- Output ----------------------------------------------------------------------------- */

#define PER_LINE 8

static void print_one(const struct scan_part *part, size_t i)
{
    int64_t exact;
    if (exact_integer(part, i, &exact))
        printf(" %14" PRId64, exact);
    else
        printf(" %14s", text_number(part->values[i], part->tensor->type != GGUF_F64).text);
}

static void print_part(void *user, const struct scan_part *part, size_t n)
{
    const int *width = user;
    for (size_t i = 0; i < n; i++) {
        if (i % PER_LINE == 0)
            printf("%s%*" PRIu64 " ", i ? "\n" : "", *width, part->first + i);
        print_one(part, i);
    }
    putchar('\n');
}

static void print_wanted(struct info *info, struct wanted w)
{
    char last[32];
    int width = snprintf(last, sizeof last, "%" PRIu64, w.count ? w.count - 1 : 0);
    term_print_str(stdout, w.tensor->name, 0);
    printf("  %s  %s", text_type(w.tensor->type).text, text_shape(w.tensor).text);
    if (w.count < w.tensor->elements)
        printf("  first %s of %s values\n", term_grouped(w.count).text,
               term_grouped(w.tensor->elements).text);
    else
        printf("  %s\n", text_plural(w.count, "value").text);
    for_each_part(info, w, print_part, &width);
}

void values_print(struct info *info)
{
    for (size_t i = 0; i < info->request->n_values; i++) {
        const char *argument = info->request->values[i];
        struct wanted w = find_wanted(info->model, argument);
        if (!check_wanted(info, argument, w))
            continue;
        print_wanted(info, w);
    }
}

static void add_part(void *user, const struct scan_part *part, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        int64_t exact;
        if (exact_integer(part, i, &exact))
            json_i64(user, NULL, exact);
        else
            json_f64(user, NULL, part->values[i]);
    }
}

void values_json(struct info *info, cJSON *json)
{
    cJSON *list = json_add_array(json, "values");
    for (size_t i = 0; i < info->request->n_values; i++) {
        const char *argument = info->request->values[i];
        struct wanted w = find_wanted(info->model, argument);
        if (!check_wanted(info, argument, w))
            continue;
        cJSON *entry = json_add_object(list, NULL);
        json_str(entry, "name", w.tensor->name);
        json_text(entry, "type", text_type(w.tensor->type).text);
        for_each_part(info, w, add_part, json_add_array(entry, "values"));
    }
}
