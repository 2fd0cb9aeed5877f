/* --tokenizer: the vocabulary in numbers, and the special tokens. */
#include "tools/gguf-info/info.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define PREFIX "tokenizer.ggml."
#define SUFFIX "_token_id"

/* What tokenizer.ggml.model means. */
static const struct {
    const char *model, *meaning;
} models[] = {
    {"llama", "SentencePiece BPE"},  {"gpt2", "byte-level BPE"}, {"bert", "WordPiece"},
    {"t5", "SentencePiece unigram"}, {"rwkv", "RWKV trie"},      {"plamo2", "PLaMo-2"},
};

/* tokenizer.ggml.token_type, by number. */
static const char *const token_types[] = {"undefined",    "normal", "unknown", "control",
                                          "user-defined", "unused", "byte"};
#define N_TYPES (sizeof token_types / sizeof token_types[0])

static const struct gguf_kv *array_of(const struct gguf *model, const char *key)
{
    const struct gguf_kv *kv = gguf_kv_find(model, key);
    return kv && kv->value.type == GGUF_VALUE_ARRAY ? kv : NULL;
}

uint64_t tokenizer_size(const struct gguf *model)
{
    const struct gguf_kv *kv = array_of(model, PREFIX "tokens");
    return kv ? kv->value.count : 0;
}

const char *tokenizer_meaning(struct gguf_str model)
{
    for (size_t i = 0; i < sizeof models / sizeof models[0]; i++) {
        if (gguf_str_equal(model, models[i].model))
            return models[i].meaning;
    }
    return NULL;
}

/* ---- Tokens by type ------------------------------------------------------------------ */

struct type_counts {
    uint64_t known[N_TYPES];
    uint64_t other;
    bool present;
};

static struct type_counts count_types(const struct gguf *model)
{
    struct type_counts c = {{0}, 0, false};
    const struct gguf_kv *kv = array_of(model, PREFIX "token_type");
    if (!kv)
        return c;
    c.present = true;
    struct gguf_iter it = gguf_items(kv->value);
    for (struct gguf_value item; gguf_next(&it, &item);) {
        uint64_t type;
        if (gguf_value_u64(item, &type) && type < N_TYPES)
            c.known[type]++;
        else
            c.other++;
    }
    return c;
}

/* ---- Special tokens ------------------------------------------------------------------- */

struct special {
    struct gguf_str role; /* "bos" */
    struct gguf_value id;
    uint64_t token; /* index in the vocabulary; UINT64_MAX where the id is none */
    struct gguf_str text;
    bool has_text;
};

struct specials {
    struct special *list; /* in file order */
    size_t count;
};

/* tokenizer.ggml.ROLE_token_id. Files write "none" as the largest number, or -1. */
static bool is_special(const struct gguf_kv *kv, struct special *out)
{
    size_t prefix = sizeof PREFIX - 1, suffix = sizeof SUFFIX - 1;
    if (kv->key.size <= prefix + suffix || memcmp(kv->key.data, PREFIX, prefix) != 0 ||
        memcmp(kv->key.data + kv->key.size - suffix, SUFFIX, suffix) != 0)
        return false;
    *out = (struct special){.role = {kv->key.data + prefix, kv->key.size - prefix - suffix},
                            .id = kv->value,
                            .token = UINT64_MAX};
    uint64_t id;
    if (gguf_value_u64(kv->value, &id) && id != UINT32_MAX)
        out->token = id;
    return true;
}

static int compare_tokens(const void *a, const void *b)
{
    const struct special *const *x = a, *const *y = b;
    return ((*x)->token > (*y)->token) - ((*x)->token < (*y)->token);
}

/* Fills in the texts by one walk over the vocabulary, in the order of the ids. */
static void look_up(const struct gguf *model, struct specials *s)
{
    const struct gguf_kv *tokens = array_of(model, PREFIX "tokens");
    if (!tokens)
        return;
    struct special **order = cli_alloc(s->count, sizeof *order);
    for (size_t i = 0; i < s->count; i++)
        order[i] = &s->list[i];
    qsort(order, s->count, sizeof *order, compare_tokens);
    struct gguf_iter it = gguf_items(tokens->value);
    uint64_t index = 0;
    size_t next = 0;
    for (struct gguf_value item; next < s->count && gguf_next(&it, &item); index++) {
        for (; next < s->count && order[next]->token == index; next++)
            order[next]->has_text = gguf_value_string(item, &order[next]->text);
    }
    free(order);
}

static struct specials specials_new(const struct gguf *model)
{
    struct specials s = {NULL, 0};
    struct special one;
    for (size_t i = 0; i < gguf_kv_count(model); i++)
        s.count += is_special(gguf_kv_at(model, i), &one);
    s.list = cli_alloc(s.count, sizeof *s.list);
    size_t used = 0;
    for (size_t i = 0; i < gguf_kv_count(model); i++)
        used += is_special(gguf_kv_at(model, i), &s.list[used < s.count ? used : 0]);
    look_up(model, &s);
    return s;
}

/* ---- Text ------------------------------------------------------------------------ */

static void add_key(struct table *table, const struct gguf *model, const char *label,
                    const char *key)
{
    const struct gguf_kv *kv = gguf_kv_find(model, key);
    struct gguf_str s;
    if (!kv)
        return;
    table_cell(table, label);
    if (gguf_value_string(kv->value, &s)) {
        table_cell_str(table, s, 100);
        return;
    }
    char *text = text_value_new(kv->value);
    table_cell(table, text);
    free(text);
}

static void add_count(struct table *table, const char *label, const struct gguf_kv *array)
{
    if (!array)
        return;
    table_cell(table, label);
    table_cell(table, term_grouped(array->value.count).text);
}

static void print_facts(const struct gguf *model)
{
    struct table *table = table_new("ll");
    add_key(table, model, "model", PREFIX "model");
    add_key(table, model, "pre-tokenizer", PREFIX "pre");
    add_count(table, "vocabulary", array_of(model, PREFIX "tokens"));
    struct type_counts types = count_types(model);
    for (size_t i = 0; i < N_TYPES; i++) {
        if (types.known[i]) {
            table_cellf(table, "  %s", token_types[i]);
            table_cell(table, term_grouped(types.known[i]).text);
        }
    }
    if (types.other) {
        table_cell(table, "  of other types");
        table_cell(table, term_grouped(types.other).text);
    }
    add_count(table, "scores", array_of(model, PREFIX "scores"));
    add_count(table, "merges", array_of(model, PREFIX "merges"));
    add_key(table, model, "adds BOS", PREFIX "add_bos_token");
    add_key(table, model, "adds EOS", PREFIX "add_eos_token");
    add_key(table, model, "adds a space prefix", PREFIX "add_space_prefix");
    table_print(table, stdout, 0, false);
    table_free(table);
}

static void add_special(struct table *table, const struct special *s)
{
    table_cell_str(table, s->role, 40);
    if (s->token == UINT64_MAX) {
        char *id = text_value_new(s->id);
        table_cellf(table, "%s", id);
        table_cell(table, "none");
        free(id);
        return;
    }
    table_cellf(table, "%" PRIu64, s->token);
    if (s->has_text)
        table_cell_str(table, s->text, 100);
    else
        table_cell(table, "(not in the vocabulary)");
}

static void print_specials(const struct gguf *model)
{
    struct specials s = specials_new(model);
    struct table *table = table_new("lrl");
    table_cell(table, "special token");
    table_cell(table, "id");
    table_cell(table, "text");
    for (size_t i = 0; i < s.count; i++)
        add_special(table, &s.list[i]);
    if (s.count) {
        putchar('\n');
        table_print(table, stdout, 0, true);
    }
    table_free(table);
    free(s.list);
}

/* --full: every token that is not an ordinary one. */
static void print_unusual(const struct gguf *model)
{
    const struct gguf_kv *tokens = array_of(model, PREFIX "tokens");
    const struct gguf_kv *types = array_of(model, PREFIX "token_type");
    if (!tokens || !types)
        return;
    struct gguf_iter token = gguf_items(tokens->value), type = gguf_items(types->value);
    struct gguf_value text, number;
    putchar('\n');
    for (uint64_t i = 0; gguf_next(&token, &text) && gguf_next(&type, &number); i++) {
        uint64_t n;
        if (!gguf_value_u64(number, &n) || n >= N_TYPES || n == 1)
            continue;
        printf("%8" PRIu64 "  %-12s  ", i, token_types[n]);
        text_value(stdout, text, true);
        putchar('\n');
    }
}

void tokenizer_print(struct info *info)
{
    if (!gguf_kv_find(info->model, PREFIX "model") && !tokenizer_size(info->model)) {
        if (!info->request->quiet)
            cli_warning("%s: no tokenizer", info->path);
        return;
    }
    print_facts(info->model);
    print_specials(info->model);
    if (info->request->full)
        print_unusual(info->model);
}

/* ---- JSON ------------------------------------------------------------------------ */

static void add_kv_json(cJSON *json, const char *name, const struct gguf *model,
                        const char *key)
{
    const struct gguf_kv *kv = gguf_kv_find(model, key);
    if (kv)
        json_value(json, name, kv->value);
    else
        json_null(json, name);
}

static void add_types_json(cJSON *json, const struct gguf *model)
{
    struct type_counts types = count_types(model);
    cJSON *counts = json_add_object(json, "token_types");
    for (size_t i = 0; i < N_TYPES; i++) {
        if (types.known[i])
            json_u64(counts, token_types[i], types.known[i]);
    }
    if (types.other)
        json_u64(counts, "other", types.other);
}

static void add_specials_json(cJSON *json, const struct gguf *model)
{
    struct specials s = specials_new(model);
    cJSON *list = json_add_array(json, "special_tokens");
    for (size_t i = 0; i < s.count; i++) {
        cJSON *entry = json_add_object(list, NULL);
        json_str(entry, "role", s.list[i].role);
        json_value(entry, "id", s.list[i].id);
        if (s.list[i].has_text)
            json_str(entry, "text", s.list[i].text);
        else
            json_null(entry, "text");
    }
    free(s.list);
}

void tokenizer_json(struct info *info, cJSON *parent)
{
    const struct gguf *model = info->model;
    const struct gguf_kv *merges = array_of(model, PREFIX "merges");
    cJSON *json = json_add_object(parent, "tokenizer");
    add_kv_json(json, "model", model, PREFIX "model");
    add_kv_json(json, "pre", model, PREFIX "pre");
    json_u64(json, "vocabulary_size", tokenizer_size(model));
    add_types_json(json, model);
    json_u64(json, "merges", merges ? merges->value.count : 0);
    add_kv_json(json, "add_bos", model, PREFIX "add_bos_token");
    add_kv_json(json, "add_eos", model, PREFIX "add_eos_token");
    add_kv_json(json, "add_space_prefix", model, PREFIX "add_space_prefix");
    add_specials_json(json, model);
}
