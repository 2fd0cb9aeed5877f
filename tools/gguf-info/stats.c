/*
 * --stats: what the values of each tensor look like. Every part of a tensor is summed on
 * its own, around its own mean, and the parts are joined in the order of the file; so the
 * numbers are the same for any number of threads, and large offsets cost no digits. Only
 * F64 can hold values (above 1e154) whose squares leave the range: std is infinite then.
 */
#include "tools/gguf-info/info.h"

#include <math.h>
#include <stdlib.h>

static double stats_std(const struct tensor_stats *stats)
{
    return stats->finite ? sqrt(stats->squares / (double)stats->finite) : 0;
}

static void count_values(struct tensor_stats *s, const double *values, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++) {
        double v = values[i];
        if (isnan(v)) {
            s->nan++;
        } else if (isinf(v)) {
            s->inf++;
        } else {
            s->min = s->finite == 0 || v < s->min ? v : s->min;
            s->max = s->finite == 0 || v > s->max ? v : s->max;
            s->zeros += v == 0;
            s->finite++;
            sum += v;
        }
    }
    s->count = n;
    s->mean = s->finite ? sum / (double)s->finite : 0;
}

static void stats_work(const struct scan_part *part, void *result)
{
    struct tensor_stats *s = result;
    count_values(s, part->values, part->elements);
    for (size_t i = 0; i < part->elements; i++) {
        double d = part->values[i] - s->mean;
        if (isfinite(part->values[i]))
            s->squares += d * d;
    }
}

/* Joins the moments of two sets (Chan, Golub and LeVeque 1979). */
static void join_moments(struct tensor_stats *a, const struct tensor_stats *b)
{
    double n = (double)a->finite, m = (double)b->finite, d = b->mean - a->mean;
    a->squares += b->squares + d * d * n * m / (n + m);
    a->mean += d * m / (n + m);
    a->min = b->min < a->min ? b->min : a->min;
    a->max = b->max > a->max ? b->max : a->max;
}

static void stats_merge(const struct scan_part *part, const void *result, void *user)
{
    struct tensor_stats *all = (struct tensor_stats *)user + part->index;
    const struct tensor_stats *s = result;
    if (all->finite && s->finite) {
        join_moments(all, s);
    } else if (s->finite) {
        all->min = s->min;
        all->max = s->max;
        all->mean = s->mean;
        all->squares = s->squares;
    }
    all->count += s->count;
    all->nan += s->nan;
    all->inf += s->inf;
    all->zeros += s->zeros;
    all->finite += s->finite;
}

struct tensor_stats *stats_compute(struct info *info, struct selection selection)
{
    struct tensor_stats *stats = cli_alloc(selection.count, sizeof *stats);
    struct scan scan = {.model = info->model,
                        .selection = selection,
                        .threads = info->request->threads,
                        .cpu = info->request->cpu,
                        .decode = true,
                        .quiet = info->request->quiet,
                        .result_size = sizeof *stats,
                        .work = stats_work,
                        .merge = stats_merge,
                        .user = stats};
    struct gguf_error err;
    if (scan_run(&scan, &err) == GGUF_OK)
        return stats;
    cli_error("%s", err.message);
    info_worse(info, CLI_TROUBLE);
    free(stats);
    return NULL;
}

/* ---- Output ------------------------------------------------------------------------- */

static void add_number(struct table *table, const struct tensor_stats *s, double value)
{
    if (s->finite)
        table_cellf(table, "%.5g", value);
    else
        table_cell(table, "-");
}

static void add_row(struct table *table, const struct gguf_tensor *t,
                    const struct tensor_stats *s)
{
    table_cell_str(table, t->name, 0);
    table_cell(table, text_type(t->type).text);
    add_number(table, s, s->min);
    add_number(table, s, s->max);
    add_number(table, s, s->mean);
    add_number(table, s, stats_std(s));
    if (s->count)
        table_cellf(table, "%.2f %%", 100.0 * (double)s->zeros / (double)s->count);
    else
        table_cell(table, "-");
    table_cell(table, term_grouped(s->nan).text);
    table_cell(table, term_grouped(s->inf).text);
    bool skipped = t->elements > 0 && !scan_can_decode(t);
    table_cell(table, skipped ? "not readable" : "");
}

void stats_print(struct info *info)
{
    struct selection s = selection_new(info->model, info->request);
    struct tensor_stats *stats = stats_compute(info, s);
    static const char *const heads[] = {"name", "type",  "min", "max", "mean",
                                        "std",  "zeros", "NaN", "Inf", ""};
    struct table *table = table_new("llrrrrrrrl");
    for (size_t i = 0; i < sizeof heads / sizeof heads[0]; i++)
        table_cell(table, heads[i]);
    for (size_t i = 0; stats && i < s.count; i++)
        add_row(table, s.tensors[i], &stats[i]);
    if (stats)
        table_print(table, stdout, 0, true);
    table_free(table);
    free(stats);
    selection_free(&s);
}

static void add_json(cJSON *json, const struct tensor_stats *s, const char *key, double value)
{
    if (s->finite)
        json_f64(json, key, value);
    else
        json_null(json, key);
}

void stats_json(cJSON *tensor, const struct tensor_stats *s)
{
    cJSON *json = json_add_object(tensor, "stats");
    json_u64(json, "count", s->count);
    add_json(json, s, "min", s->min);
    add_json(json, s, "max", s->max);
    add_json(json, s, "mean", s->mean);
    add_json(json, s, "std", stats_std(s));
    json_u64(json, "nan", s->nan);
    json_u64(json, "inf", s->inf);
    json_u64(json, "zeros", s->zeros);
    json_f64(json, "zero_share", s->count ? (double)s->zeros / (double)s->count : 0);
}
