/*
 * Matrix products: y[n][rows] = x[n][columns] . W^T, W stored in blocks.
 *
 * Threads take panels of `nr` rows of W in turn. For each slice of SLICE columns a panel is
 * decoded and laid out column by column, and multiplied with all n inputs, which were laid
 * out once in groups of `mr` rows:
 *
 *     x      [n / mr groups][columns][mr]     shared by the threads
 *     rows   [nr][SLICE]                      decoded
 *     panel  [SLICE][nr]
 *     sums   [n][nr]                          what becomes y
 */
#include <omp.h>
#include <string.h>

#include "libgguf/error.h"
#include "model/internal.h"
#include "model/matmul.h"

#define SLICE 256 /* columns: a whole number of blocks of every type */

static size_t groups_of(const struct model_kernels *k, size_t n)
{
    return (n + k->mr - 1) / k->mr;
}

size_t matmul_packed_bytes(const struct model *model, size_t n, size_t columns)
{
    const struct model_kernels *k = model->kernels;
    return groups_of(k, n) * k->mr * columns * sizeof(float);
}

size_t matmul_scratch_bytes(const struct model *model, size_t n)
{
    const struct model_kernels *k = model->kernels;
    return (2 * SLICE * k->nr + groups_of(k, n) * k->mr * k->nr) * sizeof(float);
}

/* Lays out rows [g * mr, ...) of x, [n][columns], as [columns][mr]. */
static void pack_group(const struct model_kernels *k, const struct matmul_input *in, size_t g,
                       float *out)
{
    size_t first = g * k->mr;
    size_t rows = in->n - first < k->mr ? in->n - first : k->mr;
    for (size_t i = 0; i < rows; i++) {
        const float *x = in->x + (first + i) * in->columns;
        for (size_t j = 0; j < in->columns; j++)
            out[j * k->mr + i] = x[j];
    }
}

/* One panel at work. */
struct panel {
    const struct model_context *ctx;
    const struct model_product *product;
    const struct matmul_input *in;
    const float *packed;
    uint64_t first; /* row of W */
    size_t rows;    /* nr, or less in the last panel */
    float *scratch;
};

/* Decodes columns [from, from + columns) of the panel's rows into `out`, [columns][nr]. */
static void decode_slice(const struct panel *p, size_t from, size_t columns, float *out)
{
    const struct model_weight *w = p->product->weight;
    const struct model_kernels *k = p->ctx->model->kernels;
    const struct gguf_type_info *info = gguf_type_find(w->type);
    float *rows = p->scratch;
    size_t skip = from / info->block_elements * info->block_bytes;
    uint64_t row = (uint64_t)p->product->expert * w->rows + p->first;
    for (size_t r = 0; r < p->rows; r++)
        w->decode(w->data + (row + r) * w->row_bytes + skip, rows + r * SLICE, columns);
    k->panel(rows, SLICE, columns, out);
}

static void store_sums(const struct panel *p, const float *sums)
{
    size_t nr = p->ctx->model->kernels->nr;
    for (size_t i = 0; i < p->in->n; i++)
        memcpy(p->product->y + i * p->product->ldy + p->first, sums + i * nr,
               p->rows * sizeof(float));
}

static void multiply_panel(const struct panel *p)
{
    const struct model_kernels *k = p->ctx->model->kernels;
    float *panel = p->scratch + SLICE * k->nr, *sums = panel + SLICE * k->nr;
    size_t columns = p->in->columns;
    if (p->rows < k->nr)
        memset(p->scratch, 0, SLICE * k->nr * sizeof(float));
    for (size_t from = 0; from < columns; from += SLICE) {
        size_t slice = columns - from < SLICE ? columns - from : SLICE;
        decode_slice(p, from, slice, panel);
        for (size_t g = 0; g < groups_of(k, p->in->n); g++) {
            size_t left = p->in->n - g * k->mr;
            struct kernel_tile tile = {
                .w = panel,
                .x = p->packed + (g * columns + from) * k->mr,
                .c = sums + g * k->mr * k->nr,
                .columns = slice,
                .m = left < k->mr ? left : k->mr,
                .add = from > 0,
            };
            k->tile(&tile);
        }
    }
    store_sums(p, sums);
}

static void report_input(const struct model_context *ctx, const struct matmul_input *in,
                         const struct model_product *product)
{
    const struct model_settings *s = &ctx->model->settings;
    const struct model_weight *w = product->weight;
    struct model_input input = {w->tensor->name, product->expert, (uint32_t)w->experts,
                                in->n,           in->columns,     in->x};
    if (s->input)
        s->input(s->input_user, &input);
}

static size_t panels_of(const struct model_kernels *k, const struct model_product *product)
{
    return (size_t)((product->weight->rows + k->nr - 1) / k->nr);
}

/* The panel with number `index` of all products together. */
static struct panel find_panel(const struct model_context *ctx, const struct matmul_input *in,
                               const struct model_product *products, size_t index)
{
    const struct model_kernels *k = ctx->model->kernels;
    while (index >= panels_of(k, products))
        index -= panels_of(k, products++);
    uint64_t first = (uint64_t)index * k->nr, left = products->weight->rows - first;
    return (struct panel){.ctx = ctx,
                          .product = products,
                          .in = in,
                          .packed = ctx->packed,
                          .first = first,
                          .rows = left < k->nr ? (size_t)left : k->nr};
}

void model_multiply(struct model_context *ctx, const float *x, size_t n,
                    const struct model_product *products, size_t count)
{
    const struct model_kernels *k = ctx->model->kernels;
    struct matmul_input in = {x, n, (size_t)products[0].weight->columns};
    size_t panels = 0, groups = groups_of(k, n);
    if (n == 0)
        return;
    for (size_t i = 0; i < count; i++) {
        report_input(ctx, &in, &products[i]);
        panels += panels_of(k, &products[i]);
    }
#pragma omp parallel num_threads(ctx->model->threads)
    {
#pragma omp for schedule(static)
        for (size_t g = 0; g < groups; g++)
            pack_group(k, &in, g, (float *)ctx->packed + g * k->mr * in.columns);
        float *scratch =
            (float *)((char *)ctx->scratch + (size_t)omp_get_thread_num() * ctx->scratch_bytes);
#pragma omp for schedule(dynamic, 1)
        for (size_t i = 0; i < panels; i++) {
            struct panel panel = find_panel(ctx, &in, products, i);
            panel.scratch = scratch;
            multiply_panel(&panel);
        }
    }
}
