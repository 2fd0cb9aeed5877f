/*
 * Matrix products: y[n][rows] = x[n][columns] . W^T, W stored in blocks.
 *
 * Threads take panels of `nr` rows of W in turn. For each slice of PANEL_COLUMNS columns a
 * panel is decoded and laid out column by column, and multiplied with all n inputs, which were
 * rounded and laid out once in groups of `mr` rows (pack.h):
 *
 *     rows   [nr][PANEL_COLUMNS]     decoded to floats; levels are in levels.c
 *     panel  [PANEL_COLUMNS][nr]
 *     sums   [groups * mr][nr], what becomes y
 */
#include <omp.h>
#include <string.h>

#include "model/matmul.h"
#include "model/pack.h"

size_t matmul_packed_bytes(const struct model *model, size_t n, size_t columns)
{
    (void)model;
    return (n + KERNEL_MAX_MR) * (columns + 1) * sizeof(float); /* floats take the most */
}

size_t matmul_scratch_bytes(const struct model *model, size_t n)
{
    size_t nr = model->kernels->nr, panel = 2 * PANEL_COLUMNS * nr * sizeof(float);
    panel = panel > levels_panel_bytes() ? panel : levels_panel_bytes();
    return panel + (n + KERNEL_MAX_MR) * nr * sizeof(float);
}

/* ---- Panels ---------------------------------------------------------------------- */

const unsigned char *panel_row(const struct panel *p, size_t r, size_t from)
{
    const struct model_weight *w = p->product->weight;
    uint64_t row = (uint64_t)p->product->expert * w->rows + p->first + r;
    return w->data + row * w->row_bytes + from / w->info->block_elements * w->info->block_bytes;
}

void panel_prefetch(const struct panel *p, size_t from)
{
    const struct gguf_type_info *info = p->product->weight->info;
    size_t left = from < p->in->columns ? p->in->columns - from : 0;
    size_t columns = left < PANEL_COLUMNS ? left : PANEL_COLUMNS;
    size_t bytes = columns / info->block_elements * info->block_bytes;
    for (size_t r = 0; r < p->rows && bytes > 0; r++)
        for (size_t at = 0; at < bytes; at += 64)
            __builtin_prefetch(panel_row(p, r, from) + at);
}

void panel_store(const struct panel *p, const float *sums)
{
    size_t nr = p->model->kernels->nr;
    for (size_t i = 0; i < p->in->n; i++)
        memcpy(p->product->y + i * p->product->ldy + p->first, sums + i * nr,
               p->rows * sizeof(float));
}

/* ---- Floats ---------------------------------------------------------------------- */

/* Decodes columns [from, from + columns) of the panel's rows into the scratch. */
static void decode_slice(const struct panel *p, size_t from, size_t columns)
{
    for (size_t r = 0; r < p->rows; r++)
        p->product->weight->decode(panel_row(p, r, from), p->scratch + r * PANEL_COLUMNS,
                                   columns);
    panel_prefetch(p, from + PANEL_COLUMNS);
}

static const float *group_from(const struct panel *p, size_t g, size_t from)
{
    const char *group = p->packed + g * p->group_bytes;
    return (const float *)(const void *)group + from * p->kind.mr;
}

/* Many inputs: a slice is laid out column by column, and used for all of them. */
static void multiply_slice(const struct panel *p, size_t from, size_t columns, float *sums)
{
    const struct model_kernels *k = p->model->kernels;
    float *panel = p->scratch + PANEL_COLUMNS * k->nr;
    k->panel(p->scratch, PANEL_COLUMNS, columns, panel);
    for (size_t g = 0; g < p->groups; g++) {
        size_t left = p->in->n - g * k->mr;
        struct kernel_tile tile = {
            .w = panel,
            .x = group_from(p, g, from),
            .c = sums + g * k->mr * k->nr,
            .columns = columns,
            .m = left < k->mr ? left : k->mr,
            .add = from > 0,
        };
        k->tile(&tile);
    }
}

/* One input or two, with rows from column `from` on. */
static void multiply_rows(const struct panel *p, kernel_rows_fn multiply,
                          const struct kernel_rows *rows, size_t from, float *sums)
{
    for (size_t g = 0; g < p->groups; g++) {
        struct kernel_rows one = *rows;
        one.x = group_from(p, g, from);
        one.c = sums + g * p->model->kernels->nr;
        one.add = from > 0;
        multiply(&one);
    }
}

/* What multiplies weights where they are; NULL: they must be decoded. */
static kernel_rows_fn rows_in_place(const struct panel *p)
{
    const struct model_kernels *k = p->model->kernels;
    const uint32_t type = p->product->weight->type;
    if (p->kind.mr != 1 || p->rows < k->nr)
        return NULL;
    return type == GGUF_F32    ? k->rows_f32
           : type == GGUF_F16  ? k->rows_f16
           : type == GGUF_BF16 ? k->rows_bf16
                               : NULL;
}

static void multiply_decoded(const struct panel *p, float *sums)
{
    const struct model_kernels *k = p->model->kernels;
    const size_t columns = p->in->columns;
    if (p->rows < k->nr)
        memset(p->scratch, 0, PANEL_COLUMNS * k->nr * sizeof(float));
    for (size_t from = 0; from < columns; from += PANEL_COLUMNS) {
        size_t slice = columns - from < PANEL_COLUMNS ? columns - from : PANEL_COLUMNS;
        struct kernel_rows rows = {.w = (const unsigned char *)p->scratch,
                                   .row_bytes = PANEL_COLUMNS * sizeof(float),
                                   .columns = slice};
        decode_slice(p, from, slice);
        if (p->kind.mr == 1)
            multiply_rows(p, k->rows_f32, &rows, from, sums);
        else
            multiply_slice(p, from, slice, sums);
    }
}

static void multiply_floats(const struct panel *p)
{
    float *sums = p->scratch + 2 * PANEL_COLUMNS * p->model->kernels->nr;
    const kernel_rows_fn in_place = rows_in_place(p);
    struct kernel_rows rows = {.w = panel_row(p, 0, 0),
                               .row_bytes = p->product->weight->row_bytes,
                               .columns = p->in->columns};
    if (in_place)
        multiply_rows(p, in_place, &rows, 0, sums);
    else
        multiply_decoded(p, sums);
    panel_store(p, sums);
}

/* ---- Products -------------------------------------------------------------------- */

static void report_input(const struct model_context *ctx, const struct pack_input *in,
                         const struct model_product *product)
{
    const struct model_settings *s = &ctx->model->settings;
    const struct model_weight *w = product->weight;
    struct model_input input = {w->tensor->name, product->expert, (uint32_t)w->experts,
                                in->n,           in->columns,     in->x};
    if (s->input)
        s->input(s->input_user, &input);
}

static size_t panels_of(const struct model *model, const struct model_product *product)
{
    size_t nr = model->kernels->nr;
    return (size_t)((product->weight->rows + nr - 1) / nr);
}

/* Panel number `index` of several products together. */
static void run_panel(struct panel p, size_t index)
{
    size_t nr = p.model->kernels->nr;
    for (; index >= panels_of(p.model, p.product); p.product++)
        index -= panels_of(p.model, p.product);
    p.first = (uint64_t)index * nr;
    p.rows = p.product->weight->rows - p.first < nr
                 ? (size_t)(p.product->weight->rows - p.first)
                 : nr;
    (p.kind.integers ? levels_multiply : multiply_floats)(&p);
}

/* Products that share a laid-out input. */
static void multiply_shared(struct model_context *ctx, const struct pack_input *in,
                            const struct model_product *products, size_t count)
{
    const struct model *model = ctx->model;
    struct pack_kind kind = pack_kind_of(model, products[0].weight, in->n);
    size_t panels = 0;
    struct panel all = {.model = model,
                        .product = products,
                        .in = in,
                        .kind = kind,
                        .packed = ctx->packed,
                        .groups = (in->n + kind.mr - 1) / kind.mr,
                        .group_bytes = pack_group_bytes(&kind, in->columns)};
    for (size_t i = 0; i < count; i++)
        panels += panels_of(model, &products[i]);
#pragma omp parallel num_threads(model->threads)
    {
#pragma omp for schedule(static)
        for (size_t g = 0; g < all.groups; g++)
            pack_group(model, &kind, in, g, (char *)ctx->packed + g * all.group_bytes);
        struct panel mine = all;
        mine.scratch = (float *)(void *)((char *)ctx->scratch +
                                         (size_t)omp_get_thread_num() * ctx->scratch_bytes);
#pragma omp for schedule(dynamic, 1)
        for (size_t i = 0; i < panels; i++)
            run_panel(mine, i);
    }
}

void model_multiply(struct model_context *ctx, const float *x, size_t n,
                    const struct model_product *products, size_t count)
{
    struct pack_input in = {x, n, (size_t)products[0].weight->columns};
    if (n == 0)
        return;
    for (size_t i = 0; i < count; i++)
        report_input(ctx, &in, &products[i]);
    for (size_t from = 0, to; from < count; from = to) {
        struct pack_kind kind = pack_kind_of(ctx->model, products[from].weight, n);
        for (to = from + 1; to < count; to++) {
            struct pack_kind next = pack_kind_of(ctx->model, products[to].weight, n);
            if (!pack_same(&kind, &next))
                break;
        }
        multiply_shared(ctx, &in, products + from, to - from);
    }
}
