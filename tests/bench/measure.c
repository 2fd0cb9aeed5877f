/* Errors and speeds of one encoder. */
#include "tests/bench/measure.h"

#include "tools/common/cli.h"
#include "tools/common/term.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

bool bench_case_at(struct bench_case *c, enum quant_cpu cpu, size_t index)
{
    static const enum quant_preset presets[] = {QUANT_PRESET_FAST, QUANT_PRESET_DEFAULT,
                                                QUANT_PRESET_BEST};
    const struct gguf_type_info *info;
    for (size_t t = 0; (info = gguf_type_at(t)) != NULL; t++) {
        const struct quant_format *format = quant_format_at(info->id, cpu);
        if (!format || !format->encode || info->block_elements == 1)
            continue;
        if (index >= 6) {
            index -= 6;
            continue;
        }
        enum quant_preset preset = presets[index / 2];
        *c = (struct bench_case){info->id, preset, index % 2 != 0,
                                 quant_encoder(format, preset), format->decode};
        return true;
    }
    return false;
}

/* ---- Errors ------------------------------------------------------------------------------ */

struct bench_error bench_measure_rows(const struct bench_case *c, const struct bench_group *g)
{
    const struct bench_type *type = bench_type_find(c->type);
    const float *importance = c->imatrix ? g->importance : NULL;
    struct bench_error sum = {0};
    uint64_t bytes;
    if (!gguf_type_bytes(c->type, g->columns, &bytes))
        return sum;
    unsigned char *blocks = cli_alloc((size_t)bytes, 1);
    float *y = cli_alloc(g->columns, sizeof *y);
    for (size_t r = 0; r < g->rows; r++) {
        const float *x = g->x + r * g->columns;
        c->encode(x, blocks, g->columns, importance);
        c->decode(blocks, y, g->columns);
        bench_error_add(&sum, type, x, y, g->columns, importance);
    }
    free(blocks);
    free(y);
    return sum;
}

static struct bench_error measure_rounded(const struct bench_case *c,
                                          const struct bench_group *g)
{
    const struct bench_type *type = bench_type_find(c->type);
    struct bench_error sum = {0};
    int8_t *codes = cli_alloc(g->columns, 1);
    float *scales = cli_alloc(2 * (g->columns / type->sub_block), sizeof *scales);
    float *y = cli_alloc(g->columns, sizeof *y);
    for (size_t r = 0; r < g->rows; r++) {
        const float *x = g->x + r * g->columns;
        bench_round(type, x, g->columns, codes, scales);
        bench_unround(type, codes, scales, g->columns, y);
        bench_error_add(&sum, type, x, y, g->columns, c->imatrix ? g->importance : NULL);
    }
    free(codes);
    free(scales);
    free(y);
    return sum;
}

static struct bench_errors measure_group(const struct bench_set *set, size_t group,
                                         const struct bench_case *c)
{
    const struct bench_group *g = &set->groups[group];
    const struct bench_type *type = bench_type_find(c->type);
    struct bench_errors e = {.ours = bench_measure_rows(c, g)};
    e.has_rounded = type->sub_block != 0;
    if (e.has_rounded)
        e.rounded = measure_rounded(c, g);
    float *y = bench_set_reference(set, group, c->type, c->imatrix);
    e.has_reference = y != NULL;
    for (size_t r = 0; y && r < g->rows; r++)
        bench_error_add(&e.reference, type, g->x + r * g->columns, y + r * g->columns,
                        g->columns, c->imatrix ? g->importance : NULL);
    free(y);
    return e;
}

static void add_total(struct bench_errors *total, const struct bench_errors *group)
{
    bench_error_merge(&total->ours, &group->ours);
    bench_error_merge(&total->rounded, &group->rounded);
    bench_error_merge(&total->reference, &group->reference);
    total->has_rounded = group->has_rounded;
    total->has_reference = group->has_reference;
}

struct bench_result bench_measure(const struct bench_set *set, const struct bench_case *c)
{
    struct bench_result result = {.c = *c, .set = set};
    result.groups = cli_alloc(set->n, sizeof *result.groups);
    for (size_t g = 0; g < set->n; g++) {
        result.groups[g] = measure_group(set, g, c);
        if (set->groups[g].counted)
            add_total(&result.total, &result.groups[g]);
    }
    return result;
}

void bench_result_free(struct bench_result *result)
{
    free(result->groups);
    result->groups = NULL;
}

struct bench_means bench_result_means(const struct bench_result *result)
{
    double plain = 0, weighted = 0;
    size_t n = 0;
    for (size_t g = 0; g < result->set->n; g++) {
        const struct bench_error *e = &result->groups[g].ours;
        if (!result->set->groups[g].counted)
            continue;
        plain += pow(bench_rmse(e), 2);
        weighted += pow(bench_weighted_rmse(e), 2);
        n++;
    }
    double divisor = n ? (double)n : 1;
    return (struct bench_means){sqrt(plain / divisor), sqrt(weighted / divisor)};
}

double bench_difference(const struct bench_error *ours, const struct bench_error *reference)
{
    double a = bench_weighted_rmse(ours), b = bench_weighted_rmse(reference);
    return a > 0 || b > 0 ? 100 * (a / b - 1) : 0;
}

/* ---- Speed -------------------------------------------------------------------------- */

/* 1 M weights: 4 MiB of input, more than a level-2 cache and less than most level-3 ones. */
#define TIMING_ROWS    256
#define TIMING_COLUMNS 4096
#define MIN_PASSES     3
#define MOST_PASSES    500
#define MIN_SECONDS    0.2

void bench_timing_make(struct bench_timing *t)
{
    *t = (struct bench_timing){.rows = TIMING_ROWS, .columns = TIMING_COLUMNS};
    t->x = cli_alloc(t->rows * t->columns, sizeof *t->x);
    t->y = cli_alloc(t->rows * t->columns, sizeof *t->y);
    t->importance = cli_alloc(t->columns, sizeof *t->importance);
    t->blocks = cli_alloc(t->rows * t->columns, 2);
    bench_gaussian(t->x, t->rows * t->columns, 1);
    bench_importance(t->importance, t->columns, 2);
}

void bench_timing_free(struct bench_timing *t)
{
    free(t->x);
    free(t->y);
    free(t->importance);
    free(t->blocks);
}

/* What is done with row r. */
struct work {
    struct bench_timing *t;
    const struct bench_case *c;
    const struct bench_type *type;
    size_t row_bytes;
    void (*row)(const struct work *work, size_t r);
};

static void encode_row(const struct work *w, size_t r)
{
    w->c->encode(w->t->x + r * w->t->columns, w->t->blocks + r * w->row_bytes, w->t->columns,
                 w->c->imatrix ? w->t->importance : NULL);
}

static void decode_row(const struct work *w, size_t r)
{
    w->c->decode(w->t->blocks + r * w->row_bytes, w->t->y + r * w->t->columns, w->t->columns);
}

/* Codes go to the blocks, the scales to the decoded weights. */
static void round_row(const struct work *w, size_t r)
{
    bench_round(w->type, w->t->x + r * w->t->columns, w->t->columns,
                (int8_t *)w->t->blocks + r * w->t->columns, w->t->y + r * w->t->columns);
}

static void copy_row(const struct work *w, size_t r)
{
    memcpy(w->t->y + r * w->t->columns, w->t->x + r * w->t->columns,
           w->t->columns * sizeof *w->t->x);
}

static double time_pass(const struct work *w, int threads)
{
    double begin = term_seconds();
#pragma omp parallel for num_threads(threads) schedule(dynamic, 4)
    for (size_t r = 0; r < w->t->rows; r++)
        w->row(w, r);
    return term_seconds() - begin;
}

static int compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double time_work(const struct work *w, int threads)
{
    double seconds[MOST_PASSES], start = term_seconds();
    size_t n = 0;
    while (n < MIN_PASSES || (n < MOST_PASSES && term_seconds() - start < MIN_SECONDS))
        seconds[n++] = time_pass(w, threads);
    qsort(seconds, n, sizeof *seconds, compare_doubles);
    w->t->slower += seconds[n / 2] / seconds[0] - 1;
    w->t->n++;
    return (double)(w->t->rows * w->t->columns) / seconds[0] / 1e6;
}

static size_t row_bytes(const struct bench_timing *t, uint32_t type)
{
    uint64_t bytes = 0;
    gguf_type_bytes(type, t->columns, &bytes);
    return (size_t)bytes;
}

double bench_speed_encode(struct bench_timing *t, const struct bench_case *c, int threads)
{
    struct work w = {.t = t, .c = c, .row_bytes = row_bytes(t, c->type), .row = encode_row};
    return time_work(&w, threads);
}

double bench_speed_decode(struct bench_timing *t, const struct bench_case *c, int threads)
{
    struct work w = {.t = t, .c = c, .row_bytes = row_bytes(t, c->type), .row = decode_row};
    return time_work(&w, threads);
}

double bench_speed_round(struct bench_timing *t, const struct bench_type *type, int threads)
{
    struct work w = {.t = t, .type = type, .row = round_row};
    return time_work(&w, threads);
}

double bench_speed_memcpy(struct bench_timing *t, int threads)
{
    struct work w = {.t = t, .row = copy_row};
    return time_work(&w, threads);
}
