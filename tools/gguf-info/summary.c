/* The first screen: what a person asks about a model. */
#include "tools/gguf-info/info.h"

#include "quant/quant.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* ---- Totals by type ------------------------------------------------------------------ */

struct type_total {
    uint32_t type;
    uint64_t tensors, elements, bytes;
};

struct totals {
    struct type_total *types; /* most bytes first */
    size_t count;
    struct type_total all;
    uint64_t sized; /* elements of the tensors whose bytes are known */
};

static int by_type(const void *a, const void *b)
{
    const struct type_total *x = a, *y = b;
    return (x->type > y->type) - (x->type < y->type);
}

static int by_bytes(const void *a, const void *b)
{
    const struct type_total *x = a, *y = b;
    int order = (x->bytes < y->bytes) - (x->bytes > y->bytes);
    return order ? order : by_type(a, b);
}

static void add_total(struct type_total *sum, const struct type_total *part)
{
    sum->tensors += part->tensors;
    sum->elements = add_saturated(sum->elements, part->elements);
    sum->bytes = add_saturated(sum->bytes, part->bytes);
}

/* Joins neighbours of one type; returns how many are left. */
static size_t join_types(struct type_total *list, size_t n)
{
    size_t used = 0;
    for (size_t i = 0; i < n; i++) {
        if (used && list[used - 1].type == list[i].type)
            add_total(&list[used - 1], &list[i]);
        else
            list[used++] = list[i];
    }
    return used;
}

static struct totals totals_new(const struct gguf *model)
{
    size_t n = gguf_tensor_count(model);
    struct totals t = {.types = cli_alloc(n, sizeof *t.types)};
    for (size_t i = 0; i < n; i++) {
        const struct gguf_tensor *tensor = gguf_tensor_at(model, i);
        t.types[i] = (struct type_total){tensor->type, 1, tensor->elements, tensor->bytes};
        add_total(&t.all, &t.types[i]);
        if (tensor->bytes)
            t.sized = add_saturated(t.sized, tensor->elements);
    }
    qsort(t.types, n, sizeof *t.types, by_type);
    t.count = join_types(t.types, n);
    qsort(t.types, t.count, sizeof *t.types, by_bytes);
    return t;
}

static double share(uint64_t part, uint64_t all)
{
    return all ? (double)part / (double)all : 0;
}

static double bits_per_weight(uint64_t bytes, uint64_t elements)
{
    return 8 * share(bytes, elements);
}

static uint64_t file_bytes(const struct gguf *model)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < gguf_file_count(model); i++)
        sum = add_saturated(sum, gguf_file_at(model, i)->file_bytes);
    return sum;
}

/* ---- Facts -------------------------------------------------------------------------- */

/* A value for a person, to free: integers grouped, strings without quotes. */
static char *plain_text(struct gguf_value value)
{
    uint64_t n;
    struct gguf_str s;
    char *text;
    if (value.type != GGUF_VALUE_BOOL && gguf_value_u64(value, &n)) {
        text = cli_alloc(1, sizeof(struct term_text));
        snprintf(text, sizeof(struct term_text), "%s", term_grouped(n).text);
    } else if (gguf_value_string(value, &s)) {
        text = cli_alloc(1, 128);
        gguf_str_escape(text, 128, s);
    } else {
        text = text_value_new(value);
    }
    return text;
}

/* A row with the value of a key, and that of a second key in brackets or after it. */
static void add_fact(struct table *table, const char *label, const struct gguf_kv *kv,
                     const struct gguf_kv *more, const char *form)
{
    if (!kv)
        return;
    char *first = plain_text(kv->value);
    table_cell(table, label);
    if (more) {
        char *second = plain_text(more->value);
        table_cellf(table, "%.200s (%.200s %s)", first, second, form);
        free(second);
    } else {
        table_cell(table, first);
    }
    free(first);
}

/* Said where it is anything but a model: an adapter, a projector, an importance matrix. */
static void add_kind(struct table *table, const struct gguf *model)
{
    const struct gguf_kv *kv = gguf_kv_find(model, "general.type");
    struct gguf_str kind;
    if (kv && !(gguf_value_string(kv->value, &kind) && gguf_str_equal(kind, "model")))
        add_fact(table, "kind", kv, NULL, NULL);
}

static void add_vocabulary(struct table *table, const struct gguf *model)
{
    uint64_t size = tokenizer_size(model);
    if (size) {
        table_cell(table, "vocabulary");
        table_cell(table, term_grouped(size).text);
    } else {
        add_fact(table, "vocabulary", gguf_kv_find_arch(model, "vocab_size"), NULL, NULL);
    }
}

static void add_tokenizer(struct table *table, const struct gguf *model)
{
    const struct gguf_kv *kv = gguf_kv_find(model, "tokenizer.ggml.model");
    const struct gguf_kv *pre = gguf_kv_find(model, "tokenizer.ggml.pre");
    struct gguf_str name;
    if (!kv)
        return;
    char *text = plain_text(kv->value), *pre_text = pre ? plain_text(pre->value) : NULL;
    const char *meaning = gguf_value_string(kv->value, &name) ? tokenizer_meaning(name) : NULL;
    table_cell(table, "tokenizer");
    table_cellf(table, "%s%s%s%s%s%s", text, meaning ? " (" : "", meaning ? meaning : "",
                meaning ? ")" : "", pre ? ", pre-tokenizer " : "", pre ? pre_text : "");
    free(text);
    free(pre_text);
}

static void add_template(struct table *table, const struct gguf *model)
{
    struct chat_template t;
    size_t at = 0, count = 0;
    uint64_t bytes = 0;
    for (; template_next(model, &at, &t); count++)
        bytes += t.text.size;
    table_cell(table, "chat template");
    if (count == 0)
        table_cell(table, "no");
    else if (count == 1)
        table_cellf(table, "yes, %s bytes", term_grouped(bytes).text);
    else
        table_cellf(table, "yes, %zu of them", count);
}

/* The name of general.file_type; an id that is not known as a number. */
static bool file_type_text(const struct gguf *model, char *out, size_t size)
{
    uint64_t id;
    if (!gguf_get_u64(model, "general.file_type", &id))
        return false;
    const struct quant_mix *mix = quant_mix_by_file_type(id);
    if (mix)
        snprintf(out, size, "%s", mix->name);
    else
        snprintf(out, size, "file type %" PRIu64, id);
    return true;
}

static void add_quantization(struct table *table, const struct gguf *model,
                             const struct totals *totals)
{
    char name[64] = "";
    bool named = file_type_text(model, name, sizeof name);
    if (!named && !totals->sized)
        return;
    table_cell(table, "quantization");
    if (totals->sized)
        table_cellf(table, "%s%s%.2f bits per weight", name, named ? ", " : "",
                    bits_per_weight(totals->all.bytes, totals->sized));
    else
        table_cell(table, name);
}

static void add_files(struct table *table, const struct gguf *model)
{
    const struct gguf_file *file = gguf_file_at(model, 0);
    table_cell(table, "file size");
    if (gguf_file_count(model) > 1)
        table_cellf(table, "%s in %zu files", term_bytes_exact(file_bytes(model)).text,
                    gguf_file_count(model));
    else
        table_cell(table, term_bytes_exact(file_bytes(model)).text);
    table_cell(table, "format");
    table_cellf(table, "GGUF version %" PRIu32 ", %s-endian, aligned to %" PRIu32 ", %s, %s",
                file->version, file->big_endian ? "big" : "little", file->alignment,
                text_plural(gguf_kv_count(model), "key").text,
                text_plural(gguf_tensor_count(model), "tensor").text);
}

static void add_parameters(struct table *table, const struct totals *totals)
{
    if (!totals->all.tensors)
        return;
    struct term_text rounded = term_count(totals->all.elements);
    struct term_text exact = term_grouped(totals->all.elements);
    table_cell(table, "parameters");
    if (strcmp(rounded.text, exact.text) == 0)
        table_cell(table, exact.text);
    else
        table_cellf(table, "%s (%s)", rounded.text, exact.text);
}

static void print_facts(const struct gguf *model, const struct totals *totals)
{
    struct table *t = table_new("ll");
    add_fact(t, "name", gguf_kv_find(model, "general.name"), NULL, NULL);
    add_fact(t, "architecture", gguf_kv_find(model, "general.architecture"), NULL, NULL);
    add_kind(t, model);
    add_parameters(t, totals);
    add_fact(t, "layers", gguf_kv_find_arch(model, "block_count"), NULL, NULL);
    add_fact(t, "context length", gguf_kv_find_arch(model, "context_length"), NULL, NULL);
    add_fact(t, "embedding", gguf_kv_find_arch(model, "embedding_length"), NULL, NULL);
    add_fact(t, "feed-forward", gguf_kv_find_arch(model, "feed_forward_length"),
             gguf_kv_find_arch(model, "expert_feed_forward_length"), "an expert");
    add_fact(t, "heads", gguf_kv_find_arch(model, "attention.head_count"),
             gguf_kv_find_arch(model, "attention.head_count_kv"), "KV");
    add_fact(t, "experts", gguf_kv_find_arch(model, "expert_count"),
             gguf_kv_find_arch(model, "expert_used_count"), "used");
    add_vocabulary(t, model);
    add_tokenizer(t, model);
    add_template(t, model);
    add_quantization(t, model, totals);
    add_files(t, model);
    table_print(t, stdout, 0, false);
    table_free(t);
}

/* ---- The histogram of types ---------------------------------------------------------- */

#define BAR_WIDTH 20

static void add_percent(struct table *table, uint64_t part, uint64_t all)
{
    table_cellf(table, "%.1f %%", 100 * share(part, all));
}

static void add_type(struct table *table, const struct type_total *t, const struct totals *all)
{
    char bar[BAR_WIDTH * 4 + 1];
    table_cell(table, text_type(t->type).text);
    table_cell(table, term_grouped(t->tensors).text);
    table_cell(table, term_count(t->elements).text);
    add_percent(table, t->elements, all->all.elements);
    table_cell(table, t->bytes ? term_bytes(t->bytes).text : "?");
    add_percent(table, t->bytes, all->all.bytes);
    if (t->bytes)
        table_cellf(table, "%.5g", bits_per_weight(t->bytes, t->elements));
    else
        table_cell(table, "?");
    term_bar(bar, sizeof bar, share(t->bytes, all->all.bytes), BAR_WIDTH);
    for (size_t n = strlen(bar); n > 0 && bar[n - 1] == ' '; n--)
        bar[n - 1] = '\0';
    table_cell(table, bar);
}

static void print_types(const struct totals *totals)
{
    static const char *const heads[] = {"type",  "tensors", "parameters",      "share",
                                        "bytes", "share",   "bits per weight", ""};
    struct table *table = table_new("lrrrrrrl");
    for (size_t i = 0; i < sizeof heads / sizeof heads[0]; i++)
        table_cell(table, heads[i]);
    for (size_t i = 0; i < totals->count; i++)
        add_type(table, &totals->types[i], totals);
    putchar('\n');
    table_print(table, stdout, 0, true);
    table_free(table);
}

void summary_print(struct info *info)
{
    struct totals totals = totals_new(info->model);
    print_facts(info->model, &totals);
    if (totals.count)
        print_types(&totals);
    free(totals.types);
}

/* ---- JSON ------------------------------------------------------------------------ */

static void add_value(cJSON *json, const char *name, const struct gguf_kv *kv)
{
    if (kv)
        json_value(json, name, kv->value);
    else
        json_null(json, name);
}

/* The hyperparameters under their plain names, as the file states them: a number for most
 * models, an array where it differs by layer. */
static const struct {
    const char *name, *suffix;
} hyperparameters[] = {
    {"layers", "block_count"},
    {"context_length", "context_length"},
    {"embedding_length", "embedding_length"},
    {"feed_forward_length", "feed_forward_length"},
    {"expert_feed_forward_length", "expert_feed_forward_length"},
    {"head_count", "attention.head_count"},
    {"head_count_kv", "attention.head_count_kv"},
    {"expert_count", "expert_count"},
    {"expert_used_count", "expert_used_count"},
};

static void add_file_json(cJSON *json, const struct gguf *model)
{
    const struct gguf_file *file = gguf_file_at(model, 0);
    json_u64(json, "version", file->version);
    json_text(json, "endian", file->big_endian ? "big" : "little");
    json_u64(json, "alignment", file->alignment);
    json_u64(json, "file_bytes", file_bytes(model));
    cJSON *files = json_add_array(json, "files");
    for (size_t i = 0; i < gguf_file_count(model); i++) {
        cJSON *entry = json_add_object(files, NULL);
        json_text(entry, "path", gguf_file_at(model, i)->path);
        json_u64(entry, "bytes", gguf_file_at(model, i)->file_bytes);
    }
}

static void add_types_json(cJSON *json, const struct totals *totals)
{
    cJSON *types = json_add_array(json, "types");
    for (size_t i = 0; i < totals->count; i++) {
        const struct type_total *t = &totals->types[i];
        cJSON *entry = json_add_object(types, NULL);
        json_text(entry, "type", text_type(t->type).text);
        json_u64(entry, "type_id", t->type);
        json_u64(entry, "tensors", t->tensors);
        json_u64(entry, "parameters", t->elements);
        json_u64(entry, "bytes", t->bytes);
        json_f64(entry, "parameter_share", share(t->elements, totals->all.elements));
        json_f64(entry, "byte_share", share(t->bytes, totals->all.bytes));
        json_f64(entry, "bits_per_weight", bits_per_weight(t->bytes, t->elements));
    }
}

static void add_totals_json(cJSON *json, const struct gguf *model, const struct totals *totals)
{
    char name[64];
    json_u64(json, "parameters", totals->all.elements);
    json_u64(json, "tensor_count", totals->all.tensors);
    json_u64(json, "tensor_bytes", totals->all.bytes);
    json_f64(json, "bits_per_weight", bits_per_weight(totals->all.bytes, totals->sized));
    if (file_type_text(model, name, sizeof name))
        json_text(json, "file_type", name);
    else
        json_null(json, "file_type");
}

static void add_vocabulary_json(cJSON *json, const struct gguf *model)
{
    struct chat_template t;
    size_t at = 0;
    if (tokenizer_size(model))
        json_u64(json, "vocabulary_size", tokenizer_size(model));
    else
        add_value(json, "vocabulary_size", gguf_kv_find_arch(model, "vocab_size"));
    json_bool(json, "has_chat_template", template_next(model, &at, &t));
}

void summary_json(struct info *info, cJSON *json)
{
    struct totals totals = totals_new(info->model);
    add_file_json(json, info->model);
    add_value(json, "architecture", gguf_kv_find(info->model, "general.architecture"));
    add_value(json, "name", gguf_kv_find(info->model, "general.name"));
    add_totals_json(json, info->model, &totals);
    for (size_t i = 0; i < sizeof hyperparameters / sizeof hyperparameters[0]; i++)
        add_value(json, hyperparameters[i].name,
                  gguf_kv_find_arch(info->model, hyperparameters[i].suffix));
    add_vocabulary_json(json, info->model);
    add_types_json(json, &totals);
    free(totals.types);
}
