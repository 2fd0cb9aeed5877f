/* How far the weights of a model are from those of the base, tensor by tensor. */
#include "tools/gguf-eval/eval.h"

#include <math.h>
#include <stdlib.h>

/* A tensor that is read row by row. */
struct source {
    const struct gguf *gguf;
    const struct gguf_tensor *tensor;
    const struct quant_format *format;
    uint64_t row; /* bytes */
};

static bool source_init(struct source *s, const struct gguf *gguf, const struct gguf_tensor *t)
{
    *s = (struct source){gguf, t, quant_format_find(t->type), 0};
    return s->format && t->readable && gguf_type_bytes(t->type, t->ne[0], &s->row);
}

/* Rows [first, first + n) as floats. */
static bool read_rows(const struct source *s, uint64_t first, uint64_t n, void *bytes, float *x)
{
    if (gguf_tensor_read(s->gguf, s->tensor, first * s->row, bytes, (size_t)(n * s->row),
                         NULL) != GGUF_OK)
        return false;
    s->format->decode(bytes, x, (size_t)(n * s->tensor->ne[0]));
    return true;
}

#define PART_ELEMENTS (1u << 18)

/* Root of sum (x - y)^2 / sum x^2; NaN where they cannot be compared. */
static double relative_error(const struct source *base, const struct source *other)
{
    uint64_t columns = base->tensor->ne[0], rows = base->tensor->elements / columns;
    uint64_t part = columns < PART_ELEMENTS ? PART_ELEMENTS / columns : 1;
    uint64_t widest = base->row > other->row ? base->row : other->row;
    void *bytes = cli_alloc((size_t)(part * widest), 1);
    float *x = cli_alloc((size_t)(part * columns), sizeof *x);
    float *y = cli_alloc((size_t)(part * columns), sizeof *y);
    double error = 0, energy = 0;
    for (uint64_t at = 0, n; at < rows; at += n) {
        n = rows - at < part ? rows - at : part;
        if (!read_rows(base, at, n, bytes, x) || !read_rows(other, at, n, bytes, y))
            error = NAN;
        for (uint64_t i = 0; i < n * columns; i++) {
            double d = (double)x[i] - (double)y[i];
            error += d * d;
            energy += (double)x[i] * (double)x[i];
        }
    }
    free(bytes);
    free(x);
    free(y);
    return energy > 0 ? sqrt(error / energy) : 0;
}

static double compare(const struct gguf *gguf, const struct gguf_tensor *t,
                      const struct gguf *other)
{
    char name[GGUF_MAX_NAME + 1];
    struct source a, b;
    snprintf(name, sizeof name, "%.*s", (int)t->name.size, t->name.data);
    const struct gguf_tensor *u = gguf_tensor_find(other, name);
    if (!u || u->ne[0] != t->ne[0] || u->elements != t->elements || t->elements == 0 ||
        !source_init(&a, gguf, t) || !source_init(&b, other, u))
        return NAN;
    return relative_error(&a, &b);
}

void subject_weight_errors(struct subject *s, const struct subject *base)
{
    size_t n = gguf_tensor_count(base->gguf);
    if (s->tensor_rmse)
        return;
    s->tensor_rmse = cli_alloc(n, sizeof *s->tensor_rmse);
#pragma omp parallel for schedule(dynamic)
    for (size_t i = 0; i < n; i++)
        s->tensor_rmse[i] = compare(base->gguf, gguf_tensor_at(base->gguf, i), s->gguf);
}
