/* --tensors: the list of tensors, filtered and sorted. */
#include "tools/gguf-info/info.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* ---- Order -------------------------------------------------------------------------- */

typedef int (*compare_fn)(const void *, const void *);

static const struct gguf_tensor *tensor_of(const void *entry)
{
    const struct gguf_tensor *const *p = entry;
    return *p;
}

static int compare_u64(uint64_t a, uint64_t b)
{
    return (a > b) - (a < b);
}

/* Tensors lie in one array, in file order: where all else is equal, that order stays. */
static int compare_position(const void *a, const void *b)
{
    uintptr_t x = (uintptr_t)tensor_of(a), y = (uintptr_t)tensor_of(b);
    return (x > y) - (x < y);
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Length of the run of digits at the start, leading zeros counted apart. */
static size_t digits_at(struct gguf_str s, size_t *zeros)
{
    size_t n = 0;
    while (n < s.size && s.data[n] == '0')
        n++;
    *zeros = n;
    while (n < s.size && is_digit(s.data[n]))
        n++;
    return n;
}

/* Compares two runs of digits as numbers of any length and steps over them. */
static int compare_numbers(struct gguf_str *a, struct gguf_str *b)
{
    size_t a_zeros, b_zeros;
    size_t a_all = digits_at(*a, &a_zeros), b_all = digits_at(*b, &b_zeros);
    size_t a_size = a_all - a_zeros, b_size = b_all - b_zeros;
    int order = compare_u64(a_size, b_size);
    if (order == 0)
        order = memcmp(a->data + a_zeros, b->data + b_zeros, a_size);
    *a = (struct gguf_str){a->data + a_all, a->size - a_all};
    *b = (struct gguf_str){b->data + b_all, b->size - b_all};
    return order;
}

/* blk.2 comes before blk.10. */
static int compare_natural(struct gguf_str a, struct gguf_str b)
{
    while (a.size && b.size) {
        if (is_digit(*a.data) && is_digit(*b.data)) {
            int order = compare_numbers(&a, &b);
            if (order)
                return order;
            continue;
        }
        if (*a.data != *b.data)
            return (unsigned char)*a.data < (unsigned char)*b.data ? -1 : 1;
        a = (struct gguf_str){a.data + 1, a.size - 1};
        b = (struct gguf_str){b.data + 1, b.size - 1};
    }
    return compare_u64(a.size, b.size);
}

static int by_offset(const void *a, const void *b)
{
    int order = compare_u64(tensor_of(a)->file, tensor_of(b)->file);
    if (order == 0)
        order = compare_u64(tensor_of(a)->offset, tensor_of(b)->offset);
    return order ? order : compare_position(a, b);
}

static int by_name(const void *a, const void *b)
{
    int order = compare_natural(tensor_of(a)->name, tensor_of(b)->name);
    return order ? order : compare_position(a, b);
}

static int by_size(const void *a, const void *b)
{
    int order = compare_u64(tensor_of(b)->bytes, tensor_of(a)->bytes);
    return order ? order : compare_position(a, b);
}

static int by_params(const void *a, const void *b)
{
    int order = compare_u64(tensor_of(b)->elements, tensor_of(a)->elements);
    return order ? order : compare_position(a, b);
}

static int by_type(const void *a, const void *b)
{
    int order = strcmp(text_type(tensor_of(a)->type).text, text_type(tensor_of(b)->type).text);
    return order ? order : compare_position(a, b);
}

static const compare_fn orders[] = {
    [SORT_OFFSET] = by_offset, [SORT_NAME] = by_name,     [SORT_SIZE] = by_size,
    [SORT_TYPE] = by_type,     [SORT_PARAMS] = by_params,
};

struct selection selection_new(const struct gguf *model, const struct request *request)
{
    size_t all = gguf_tensor_count(model);
    struct selection s = {cli_alloc(all, sizeof *s.tensors), 0};
    for (size_t i = 0; i < all; i++) {
        const struct gguf_tensor *t = gguf_tensor_at(model, i);
        if (filter_match(request->names, t->name))
            s.tensors[s.count++] = t;
    }
    if (request->sort != SORT_FILE)
        qsort(s.tensors, s.count, sizeof *s.tensors, orders[request->sort]);
    return s;
}

void selection_free(struct selection *selection)
{
    free(selection->tensors);
    *selection = (struct selection){NULL, 0};
}

/* ---- Output ------------------------------------------------------------------------------ */

static void add_row(struct table *table, const struct gguf_tensor *t, bool sharded)
{
    if (sharded)
        table_cellf(table, "%" PRIu32, t->file + 1);
    table_cell_str(table, t->name, 0);
    table_cell(table, text_shape(t).text);
    table_cell(table, text_type(t->type).text);
    table_cell(table, term_grouped(t->offset).text);
    table_cell(table, t->bytes || !t->elements ? term_grouped(t->bytes).text : "?");
    table_cell(table, t->readable ? "" : "not readable");
}

void tensors_print(struct info *info)
{
    struct selection s = selection_new(info->model, info->request);
    bool sharded = gguf_file_count(info->model) > 1;
    struct table *table = table_new(sharded ? "rlllrrl" : "lllrrl");
    if (sharded)
        table_cell(table, "file");
    static const char *const heads[] = {"name", "shape", "type", "offset", "bytes", ""};
    for (size_t i = 0; i < sizeof heads / sizeof heads[0]; i++)
        table_cell(table, heads[i]);
    for (size_t i = 0; i < s.count; i++)
        add_row(table, s.tensors[i], sharded);
    table_print(table, stdout, 0, true);
    table_free(table);
    selection_free(&s);
}

static void add_tensor_json(cJSON *list, const struct gguf *model, const struct gguf_tensor *t,
                            const struct tensor_stats *stats)
{
    cJSON *entry = json_add_object(list, NULL);
    json_str(entry, "name", t->name);
    cJSON *shape = json_add_array(entry, "shape");
    for (uint32_t i = 0; i < t->n_dims && i < GGUF_MAX_DIMS; i++)
        json_u64(shape, NULL, t->ne[i]);
    json_text(entry, "type", text_type(t->type).text);
    json_u64(entry, "type_id", t->type);
    json_u64(entry, "offset", t->offset);
    json_u64(entry, "bytes", t->bytes);
    json_u64(entry, "parameters", t->elements);
    json_text(entry, "file", gguf_file_at(model, t->file)->path);
    json_bool(entry, "readable", t->readable);
    if (stats)
        stats_json(entry, stats);
}

void tensors_json(struct info *info, cJSON *json)
{
    struct selection s = selection_new(info->model, info->request);
    struct tensor_stats *stats = NULL;
    if (info->request->sections & SHOW_STATS)
        stats = stats_compute(info, s);
    cJSON *list = json_add_array(json, "tensors");
    for (size_t i = 0; i < s.count; i++)
        add_tensor_json(list, info->model, s.tensors[i], stats ? &stats[i] : NULL);
    free(stats);
    selection_free(&s);
}
