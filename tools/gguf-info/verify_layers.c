/*
 * --verify: are all layers there, and does each have what the others have?
 *
 * Models differ too much for a list of every tensor of every architecture, and hybrid models
 * have layers of several kinds. So layers are compared with each other: a name that nearly
 * all layers have is missed where it is absent, unless that layer has names of its own
 * (then it is of another kind: a dense layer among experts, attention among state space).
 */
#include "tools/gguf-info/info.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* "blk.7.ffn_down.weight" taken apart; encoders write "enc.blk.7...". */
struct part {
    struct gguf_str prefix; /* before "blk.": "", "enc.", "v." */
    struct gguf_str suffix; /* "ffn_down.weight" */
    uint64_t layer;
};

/* The layers with one prefix. */
struct group {
    const struct part *parts; /* sorted by suffix, then layer */
    size_t n_parts;
    uint64_t *layers; /* the numbers that occur, ascending */
    size_t n_layers;
    bool *special;  /* for each: has names that few others have */
    bool *reported; /* for each: something is missing */
    bool uneven;    /* the metadata says that layers differ */
};

/* Names that one layer has, or lacks, in sound models. */
static const char *const optional[] = {
    "attn_norm.weight",                         /* absent in layer 0 of modern-bert */
    "attn_norm_2.weight", "attn_rel_b.weight",  /* T5: layer 0 alone */
    "time_mix_v0.weight", "time_mix_v1.weight", /* RWKV-7: all but layer 0 */
    "time_mix_v2.weight",
};

/* ---- Names ------------------------------------------------------------------------------- */

#define MAX_DIGITS 9 /* longer numbers are no layer of any model */

static bool parse_number(const char *p, const char *end, uint64_t *number, const char **rest)
{
    const char *start = p;
    *number = 0;
    for (; p < end && *p >= '0' && *p <= '9' && p - start <= MAX_DIGITS; p++)
        *number = *number * 10 + (uint64_t)(*p - '0');
    *rest = p;
    bool plain = p > start && (*start != '0' || p - start == 1);
    return plain && p - start <= MAX_DIGITS && p < end && *p == '.';
}

static bool parse_name(struct gguf_str name, struct part *out)
{
    static const char marker[] = "blk.";
    const char *end = name.data + name.size;
    for (const char *p = name.data; p + 4 < end; p++) {
        const char *rest;
        if (memcmp(p, marker, 4) != 0 || (p > name.data && p[-1] != '.') ||
            !parse_number(p + 4, end, &out->layer, &rest))
            continue;
        out->prefix = (struct gguf_str){name.data, (size_t)(p - name.data)};
        out->suffix = (struct gguf_str){rest + 1, (size_t)(end - rest - 1)};
        return true;
    }
    return false;
}

static int compare_parts(const void *a, const void *b)
{
    const struct part *x = a, *y = b;
    int order = gguf_str_compare(x->prefix, y->prefix);
    if (order == 0)
        order = gguf_str_compare(x->suffix, y->suffix);
    return order ? order : (x->layer > y->layer) - (x->layer < y->layer);
}

static int compare_layers(const void *a, const void *b)
{
    const uint64_t *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

/* ---- Groups ---------------------------------------------------------------------- */

static void group_start(struct group *g, const struct part *parts, size_t n)
{
    *g = (struct group){.parts = parts, .n_parts = n};
    g->layers = cli_alloc(n, sizeof *g->layers);
    for (size_t i = 0; i < n; i++)
        g->layers[i] = parts[i].layer;
    qsort(g->layers, n, sizeof *g->layers, compare_layers);
    for (size_t i = 0; i < n; i++) {
        if (i == 0 || g->layers[i] != g->layers[g->n_layers - 1])
            g->layers[g->n_layers++] = g->layers[i];
    }
    g->special = cli_alloc(g->n_layers, sizeof *g->special);
    g->reported = cli_alloc(g->n_layers, sizeof *g->reported);
}

static void group_free(struct group *g)
{
    free(g->layers);
    free(g->special);
    free(g->reported);
}

static size_t layer_index(const struct group *g, uint64_t layer)
{
    const uint64_t *found =
        bsearch(&layer, g->layers, g->n_layers, sizeof *g->layers, compare_layers);
    return (size_t)(found - g->layers);
}

/* End of the run of parts with the suffix of part `i`. */
static size_t run_end(const struct group *g, size_t i)
{
    size_t end = i + 1;
    while (end < g->n_parts && gguf_str_compare(g->parts[i].suffix, g->parts[end].suffix) == 0)
        end++;
    return end;
}

/* All layers but one, or nine of ten. */
static bool is_common(const struct group *g, size_t count)
{
    return count + 1 >= g->n_layers || count * 10 >= g->n_layers * 9;
}

static void mark_special(struct group *g)
{
    for (size_t i = 0, end; i < g->n_parts; i = end) {
        end = run_end(g, i);
        bool rare = g->n_layers == 2 ? end - i < 2 : !is_common(g, end - i);
        for (size_t k = i; rare && k < end; k++)
            g->special[layer_index(g, g->parts[k].layer)] = true;
    }
}

/* ---- Layers that lack a name ----------------------------------------------------- */

static bool is_optional(struct gguf_str suffix)
{
    for (size_t i = 0; i < sizeof optional / sizeof optional[0]; i++) {
        if (gguf_str_equal(suffix, optional[i]))
            return true;
    }
    return false;
}

static void report_lack(struct verify *v, const struct group *g, const struct part *example,
                        size_t layer, size_t count)
{
    char prefix[64], suffix[160];
    gguf_str_escape(prefix, sizeof prefix, example->prefix);
    gguf_str_escape(suffix, sizeof suffix, example->suffix);
    void (*report)(struct verify *, struct gguf_str, const char *, ...) =
        g->uneven ? verify_warning : verify_problem;
    report(v, (struct gguf_str){"", 0},
           "%sblk.%" PRIu64 " lacks %s, which %zu of %zu layers have", prefix, g->layers[layer],
           suffix, count, g->n_layers);
}

/* Parts [first, end) have one suffix, in the order of the layers. */
static void check_run(struct verify *v, struct group *g, size_t first, size_t end)
{
    size_t at = first;
    for (size_t i = 0; i < g->n_layers; i++) {
        if (at < end && g->parts[at].layer == g->layers[i]) {
            at++;
        } else if (!g->special[i]) {
            report_lack(v, g, &g->parts[first], i, end - first);
            g->reported[i] = true;
        }
    }
}

static void compare_group(struct verify *v, struct group *g)
{
    if (g->n_layers < 2)
        return;
    mark_special(g);
    for (size_t i = 0, end; i < g->n_parts; i = end) {
        end = run_end(g, i);
        bool some_lack = end - i < g->n_layers;
        if (some_lack && is_common(g, end - i) && !is_optional(g->parts[i].suffix))
            check_run(v, g, i, end);
    }
}

/* ---- Layers that are missing altogether ------------------------------------------ */

static void report_missing(struct verify *v, struct gguf_str prefix, uint64_t first,
                           uint64_t last, uint64_t all)
{
    struct gguf_str nowhere = {"", 0};
    char text[64], of[64] = "";
    gguf_str_escape(text, sizeof text, prefix);
    if (all)
        snprintf(of, sizeof of, " of %" PRIu64, all);
    if (first == last)
        verify_problem(v, nowhere, "layer %sblk.%" PRIu64 "%s is missing", text, first, of);
    else
        verify_problem(v, nowhere,
                       "layers %sblk.%" PRIu64 " to %sblk.%" PRIu64 "%s are missing", text,
                       first, text, last, of);
}

/* `all` is the announced number of layers, or 0 where none is announced. */
static void check_sequence(struct verify *v, const struct group *g, uint64_t all)
{
    uint64_t next = 0;
    struct gguf_str prefix = g->parts[0].prefix;
    for (size_t i = 0; i < g->n_layers; i++) {
        if (g->layers[i] > next)
            report_missing(v, prefix, next, g->layers[i] - 1, all);
        next = g->layers[i] + 1;
    }
    if (all > next)
        report_missing(v, prefix, next, all - 1, all);
    if (all && next > all)
        verify_problem(v, (struct gguf_str){"", 0},
                       "there is a layer blk.%" PRIu64 ", but block_count is %" PRIu64,
                       next - 1, all);
}

/* ---- What every layer of a plain transformer needs ------------------------------- */

static bool has_one_of(const struct gguf *model, uint64_t layer, const char *const *names)
{
    for (; *names; names++) {
        char name[128];
        snprintf(name, sizeof name, "blk.%" PRIu64 ".%s", layer, *names);
        if (gguf_tensor_find(model, name))
            return true;
    }
    return false;
}

static void check_need(struct verify *v, const struct gguf *model, struct group *g,
                       const char *const *names)
{
    struct gguf_str nowhere = {"", 0};
    size_t lacking = 0;
    for (size_t i = 0; i < g->n_layers; i++)
        lacking += !has_one_of(model, g->layers[i], names);
    if (lacking == g->n_layers && lacking > 1) {
        verify_problem(v, nowhere, "no layer has %s, which this architecture needs", names[0]);
        return;
    }
    for (size_t i = 0; lacking && i < g->n_layers; i++) {
        if (!g->reported[i] && !has_one_of(model, g->layers[i], names))
            verify_problem(v, nowhere,
                           "blk.%" PRIu64 " lacks %s, which this architecture needs",
                           g->layers[i], names[0]);
    }
}

static void check_needs(struct verify *v, const struct gguf *model, struct group *g)
{
    static const char *const needs[][5] = {
        {"attn_q.weight", "attn_qkv.weight", "attn_q_b.weight"},
        {"attn_output.weight"},
        {"ffn_up.weight", "ffn_up_exps.weight", "ffn_gate_up_exps.weight", "ffn_up.0.weight"},
        {"ffn_down.weight", "ffn_down_exps.weight", "ffn_down.0.weight"},
    };
    if (!verify_is_transformer(model) || g->uneven)
        return;
    for (size_t i = 0; i < sizeof needs / sizeof needs[0]; i++)
        check_need(v, model, g, needs[i]);
}

/* ---- All ------------------------------------------------------------------------- */

static bool is_array(const struct gguf_kv *kv)
{
    return kv && kv->value.type == GGUF_VALUE_ARRAY;
}

static bool layers_are_uneven(const struct gguf *model)
{
    return is_array(gguf_kv_find_arch(model, "attention.head_count")) ||
           is_array(gguf_kv_find_arch(model, "attention.head_count_kv")) ||
           is_array(gguf_kv_find_arch(model, "feed_forward_length"));
}

static void check_group(struct verify *v, const struct gguf *model, struct group *g)
{
    uint64_t all = 0;
    bool main_group = g->parts[0].prefix.size == 0;
    if (main_group)
        gguf_get_arch_u64(model, "block_count", &all);
    g->uneven = layers_are_uneven(model);
    check_sequence(v, g, all);
    compare_group(v, g);
    if (main_group)
        check_needs(v, model, g);
}

static size_t collect(const struct gguf *model, struct part *parts)
{
    size_t n = 0;
    for (size_t i = 0; i < gguf_tensor_count(model); i++)
        n += parse_name(gguf_tensor_at(model, i)->name, &parts[n]);
    qsort(parts, n, sizeof *parts, compare_parts);
    return n;
}

void verify_layers(struct verify *verify, const struct gguf *model)
{
    if (!verify_is_model(model) || gguf_tensor_count(model) == 0)
        return;
    struct part *parts = cli_alloc(gguf_tensor_count(model), sizeof *parts);
    size_t n = collect(model, parts);
    uint64_t all = 0;
    if (n == 0 && gguf_get_arch_u64(model, "block_count", &all) && all > 0 &&
        verify_is_transformer(model))
        report_missing(verify, (struct gguf_str){"", 0}, 0, all - 1, all);
    for (size_t i = 0, end; i < n; i = end) {
        struct group g;
        end = i + 1;
        while (end < n && gguf_str_compare(parts[i].prefix, parts[end].prefix) == 0)
            end++;
        group_start(&g, parts + i, end - i);
        check_group(verify, model, &g);
        group_free(&g);
    }
    free(parts);
}
