/* --layout: what lies where in each file. */
#include "tools/gguf-info/info.h"

#include "libgguf/checked.h"

#include <stdlib.h>
#include <string.h>

struct region {
    const char *kind;
    uint64_t offset, bytes;
    uint64_t padding;                       /* inside a data region, between tensors */
    size_t tensors;                         /* of a data region */
    const struct gguf_tensor *first, *last; /* of a data region */
};

struct regions {
    struct region *list;
    size_t count, capacity;
    uint64_t at; /* end of what is described */
};

static struct region *add_region(struct regions *r, const char *kind, uint64_t end)
{
    if (r->count == r->capacity) {
        r->capacity = r->capacity ? r->capacity * 2 : 16;
        r->list = cli_grow(r->list, r->capacity, sizeof *r->list);
    }
    struct region *new = &r->list[r->count++];
    *new = (struct region){.kind = kind, .offset = r->at, .bytes = end - r->at};
    r->at = end;
    return new;
}

static void add_until(struct regions *r, const char *kind, uint64_t end)
{
    if (end > r->at)
        add_region(r, kind, end);
}

static uint64_t aligned(uint64_t offset, uint32_t alignment)
{
    uint64_t up;
    return checked_align(offset, alignment, &up) ? up : offset;
}

/* ---- Tensor data --------------------------------------------------------------------- */

static int by_offset(const void *a, const void *b)
{
    const struct gguf_tensor *const *x = a, *const *y = b;
    uint64_t p = (*x)->offset, q = (*y)->offset;
    if (p != q)
        return p < q ? -1 : 1;
    return (*x > *y) - (*x < *y);
}

/* The tensors of a file with data, in the order in which they lie there. */
static size_t sorted_tensors(const struct gguf *model, const struct gguf_file *file,
                             const struct gguf_tensor **out)
{
    size_t n = 0;
    for (size_t i = 0; i < file->tensor_count; i++) {
        const struct gguf_tensor *t = gguf_tensor_at(model, file->first_tensor + i);
        if (t && t->bytes)
            out[n++] = t;
    }
    qsort(out, n, sizeof *out, by_offset);
    return n;
}

/* Appends to the data region that ends here, across mere padding; otherwise a new one. */
static void add_tensor(struct regions *r, const struct gguf_tensor *t, uint32_t alignment)
{
    uint64_t end = add_saturated(t->offset, t->bytes);
    struct region *last = &r->list[r->count - 1];
    bool adjoins =
        last->tensors && t->offset >= r->at && aligned(r->at, alignment) == t->offset;
    if (adjoins) {
        last->padding += t->offset - r->at;
        last->bytes = end - last->offset;
        r->at = end;
    } else {
        add_until(r, "gap", t->offset);
        uint64_t covered = r->at;
        r->at = t->offset;
        last = add_region(r, covered > t->offset ? "overlapping data" : "tensor data", end);
        last->first = t;
        r->at = covered > end ? covered : end;
    }
    last->last = t;
    last->tensors++;
}

static void add_data(struct regions *r, const struct gguf *model, const struct gguf_file *file)
{
    const struct gguf_tensor **tensors = cli_alloc(file->tensor_count, sizeof *tensors);
    size_t n = sorted_tensors(model, file, tensors);
    for (size_t i = 0; i < n; i++)
        add_tensor(r, tensors[i], file->alignment);
    free(tensors);
}

static struct regions regions_new(const struct gguf *model, const struct gguf_file *file)
{
    struct regions r = {0};
    add_region(&r, "header", file->version == 1 ? 16 : 24);
    add_until(&r, "metadata", file->kv_bytes);
    add_until(&r, "tensor infos", file->header_bytes);
    if (file->tensor_count)
        add_until(&r, "padding", file->data_offset);
    add_data(&r, model, file);
    uint64_t end = aligned(r.at, file->alignment);
    add_until(&r, file->file_bytes <= end ? "padding" : "unused bytes", file->file_bytes);
    return r;
}

/* ---- Output ---------------------------------------------------------------------- */

/* "39 tensors, token_embd.weight to output.weight, 96 bytes of padding between them" */
static void add_what(struct table *table, const struct region *r)
{
    char first[160], last[160], text[480];
    if (r->tensors == 0) {
        table_cell(table, "");
        return;
    }
    gguf_str_escape(first, sizeof first, r->first->name);
    gguf_str_escape(last, sizeof last, r->last->name);
    int used =
        snprintf(text, sizeof text, "%s, %s", text_plural(r->tensors, "tensor").text, first);
    if (r->tensors > 1)
        used += snprintf(text + used, sizeof text - (size_t)used, " to %s", last);
    if (r->padding)
        snprintf(text + used, sizeof text - (size_t)used, ", %s of padding",
                 text_plural(r->padding, "byte").text);
    table_cell(table, text);
}

static void print_regions(const struct regions *r, const struct gguf_file *file)
{
    struct table *table = table_new("rrll");
    static const char *const heads[] = {"offset", "bytes", "what", ""};
    for (size_t i = 0; i < sizeof heads / sizeof heads[0]; i++)
        table_cell(table, heads[i]);
    for (size_t i = 0; i < r->count; i++) {
        const struct region *one = &r->list[i];
        table_cell(table, term_grouped(one->offset).text);
        table_cell(table, term_grouped(one->bytes).text);
        table_cell(table, one->kind);
        add_what(table, one);
    }
    table_cell(table, term_grouped(file->file_bytes).text);
    table_cell(table, "");
    table_cell(table, "end of the file");
    table_cell(table, "");
    table_print(table, stdout, 0, true);
    table_free(table);
}

void layout_print(struct info *info)
{
    size_t files = gguf_file_count(info->model);
    for (size_t i = 0; i < files; i++) {
        const struct gguf_file *file = gguf_file_at(info->model, i);
        if (files > 1) {
            printf("%s", i ? "\n" : "");
            term_print_str(stdout, (struct gguf_str){file->path, strlen(file->path)}, 0);
            putchar('\n');
        }
        struct regions r = regions_new(info->model, file);
        print_regions(&r, file);
        free(r.list);
    }
}

static void add_region_json(cJSON *list, const struct region *r)
{
    cJSON *json = json_add_object(list, NULL);
    json_text(json, "kind", r->kind);
    json_u64(json, "offset", r->offset);
    json_u64(json, "bytes", r->bytes);
    if (r->tensors) {
        json_u64(json, "tensors", r->tensors);
        json_u64(json, "padding", r->padding);
        json_str(json, "first", r->first->name);
        json_str(json, "last", r->last->name);
    }
}

void layout_json(struct info *info, cJSON *json)
{
    cJSON *files = json_add_array(json, "layout");
    for (size_t i = 0; i < gguf_file_count(info->model); i++) {
        const struct gguf_file *file = gguf_file_at(info->model, i);
        struct regions r = regions_new(info->model, file);
        cJSON *entry = json_add_object(files, NULL);
        json_text(entry, "file", file->path);
        json_u64(entry, "bytes", file->file_bytes);
        json_u64(entry, "data_offset", file->data_offset);
        cJSON *list = json_add_array(entry, "regions");
        for (size_t k = 0; k < r.count; k++)
            add_region_json(list, &r.list[k]);
        free(r.list);
    }
}
