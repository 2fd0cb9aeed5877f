/* Statistics of importance, as llama-imatrix --show-statistics has them. */
#include "tools/gguf-imatrix/imatrix.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define INACTIVE 1e-5 /* mean squares up to this count as none */

/* ---- One tensor ------------------------------------------------------------------ */

/* Calls f with the mean of every column of experts that saw a token. */
static void each_mean(const struct quant_squares *of, void (*f)(struct statistics *, double),
                      struct statistics *s)
{
    for (uint64_t e = 0; e < of->experts; e++) {
        for (uint64_t c = 0; c < of->columns && of->counts[e] > 0; c++)
            f(s, (double)of->sums[e * of->columns + c] / (double)of->counts[e]);
    }
}

static void add_mean(struct statistics *s, double mean)
{
    s->min = s->n == 0 || mean < s->min ? mean : s->min;
    s->max = mean > s->max ? mean : s->max;
    s->sum += mean;
    s->active += mean > INACTIVE;
    s->n++;
}

static void add_deviation(struct statistics *s, double mean)
{
    s->deviation += (mean - s->mean) * (mean - s->mean);
    if (mean > 0)
        s->entropy -= mean / s->sum * log2(mean / s->sum);
}

static void add_outlier(struct statistics *s, double mean)
{
    s->outliers += mean > s->mean + s->deviation && s->deviation > 0;
}

static struct statistics statistics_of(const struct quant_squares *of)
{
    struct statistics s = {.of = of};
    each_mean(of, add_mean, &s);
    if (s.n == 0)
        return s;
    double n = (double)s.n;
    s.mean = s.sum / n;
    each_mean(of, add_deviation, &s);
    s.deviation = sqrt(s.deviation / n);
    each_mean(of, add_outlier, &s);
    s.active /= n;
    s.outliers /= n;
    s.evenness = s.n > 1 ? s.entropy / log2(n) : 1;
    return s;
}

/* ---- Layers ---------------------------------------------------------------------- */

/* The number in "blk.N.KIND", and where KIND begins; false for another name. */
static bool parse_layer(struct gguf_str name, uint64_t *layer, size_t *kind)
{
    static const char prefix[] = "blk.";
    size_t i = sizeof prefix - 1;
    if (name.size <= i || memcmp(name.data, prefix, i) != 0)
        return false;
    *layer = 0;
    for (; i < name.size && name.data[i] >= '0' && name.data[i] <= '9' && *layer < 1u << 30;
         i++)
        *layer = *layer * 10 + (uint64_t)(name.data[i] - '0');
    *kind = i;
    return i > sizeof prefix - 1 && i < name.size && name.data[i] == '.';
}

static struct gguf_str kind_of(struct gguf_str name, uint64_t *layer)
{
    size_t kind;
    if (!parse_layer(name, layer, &kind)) {
        *layer = 0;
        return name;
    }
    return (struct gguf_str){name.data + kind, name.size - kind};
}

static int compare(const void *left, const void *right)
{
    const struct statistics *a = left, *b = right;
    uint64_t layer_a, layer_b;
    struct gguf_str x = kind_of(a->of->name, &layer_a), y = kind_of(b->of->name, &layer_b);
    int order = gguf_str_compare(x, y);
    return order ? order : (layer_a > layer_b) - (layer_a < layer_b);
}

static bool is_layer_before(const struct statistics *before, const struct statistics *s)
{
    uint64_t a, b;
    struct gguf_str x = kind_of(before->of->name, &a), y = kind_of(s->of->name, &b);
    return gguf_str_compare(x, y) == 0 && a + 1 == b && before->of->columns == s->of->columns &&
           before->of->experts == s->of->experts;
}

static double cosine(const struct quant_squares *x, const struct quant_squares *y)
{
    double xy = 0, xx = 0, yy = 0;
    for (uint64_t i = 0; i < x->columns * x->experts; i++) {
        xy += (double)x->sums[i] * (double)y->sums[i];
        xx += (double)x->sums[i] * (double)x->sums[i];
        yy += (double)y->sums[i] * (double)y->sums[i];
    }
    return xx > 0 && yy > 0 ? xy / sqrt(xx * yy) : 0;
}

struct statistics *statistics_make(const struct quant_tally *tally, size_t *count)
{
    struct statistics *list = cli_alloc(quant_tally_count(tally), sizeof *list);
    *count = 0;
    for (size_t i = 0; i < quant_tally_count(tally); i++) {
        list[*count] = statistics_of(quant_tally_at(tally, i));
        *count += list[*count].n > 0;
    }
    qsort(list, *count, sizeof *list, compare);
    for (size_t i = 1; i < *count; i++) {
        list[i].has_layer_before = is_layer_before(&list[i - 1], &list[i]);
        if (list[i].has_layer_before)
            list[i].cosine = cosine(list[i - 1].of, list[i].of);
    }
    return list;
}
