/*
 * Matrix products: y[n][rows] = x[n][columns] . W^T, W stored in blocks.
 *
 * Threads take panels of `nr` rows of W in turn. For each slice of SLICE columns a panel is
 * decoded and laid out column by column, and multiplied with all n inputs, which were rounded
 * and laid out once in groups of `mr` rows (pack.h):
 *
 *     rows   [nr][SLICE]     decoded, to floats or to levels
 *     panel  [SLICE][nr]     floats, or [SLICE / 4][nr][4] levels with their scales
 *     sums   [groups * mr][nr], what becomes y
 */
#include <omp.h>
#include <string.h>

#include "model/matmul.h"
#include "model/pack.h"

#define SLICE 256 /* columns: a whole number of blocks of every type */
#define SUBS  (SLICE / 16)

size_t matmul_packed_bytes(const struct model *model, size_t n, size_t columns)
{
    (void)model;
    return (n + PACK_MAX_MR) * (columns + 1) * sizeof(float); /* floats take the most */
}

size_t matmul_scratch_bytes(const struct model *model, size_t n)
{
    size_t nr = model->kernels->nr;
    return (2 * SLICE * nr + (n + PACK_MAX_MR) * nr) * sizeof(float);
}

/* One panel at work. */
struct panel {
    const struct model *model;
    const struct model_product *product;
    const struct pack_input *in;
    struct pack_kind kind;
    const char *packed; /* [groups][group_bytes] */
    size_t groups, group_bytes;
    uint64_t first; /* row of W */
    size_t rows;    /* nr, or less in the last panel */
    float *scratch;
};

/* The bytes of row r of the panel from column `from` on. */
static const unsigned char *row_at(const struct panel *p, size_t r, size_t from)
{
    const struct model_weight *w = p->product->weight;
    uint64_t row = (uint64_t)p->product->expert * w->rows + p->first + r;
    return w->data + row * w->row_bytes + from / w->info->block_elements * w->info->block_bytes;
}

/* Asks for the bytes of the next slice while this one is multiplied: the rows lie far apart,
 * and the processor does not foresee them. */
static void prefetch_slice(const struct panel *p, size_t from)
{
    const struct gguf_type_info *info = p->product->weight->info;
    size_t left = from < p->in->columns ? p->in->columns - from : 0;
    size_t columns = left < SLICE ? left : SLICE;
    size_t bytes = columns / info->block_elements * info->block_bytes;
    for (size_t r = 0; r < p->rows && bytes > 0; r++)
        for (size_t at = 0; at < bytes; at += 64)
            __builtin_prefetch(row_at(p, r, from) + at);
}

static size_t rows_of_group(const struct panel *p, size_t group)
{
    size_t mr = pack_group_rows(p->model, &p->kind), left = p->in->n - group * mr;
    return left < mr ? left : mr;
}

static void store_sums(const struct panel *p, const float *sums)
{
    size_t nr = p->model->kernels->nr;
    for (size_t i = 0; i < p->in->n; i++)
        memcpy(p->product->y + i * p->product->ldy + p->first, sums + i * nr,
               p->rows * sizeof(float));
}

/* ---- Floats ---------------------------------------------------------------------- */

/* Decodes columns [from, from + columns) of the panel's rows into `out`, [columns][nr]. */
static void decode_slice(const struct panel *p, size_t from, size_t columns, float *out)
{
    for (size_t r = 0; r < p->rows; r++)
        p->product->weight->decode(row_at(p, r, from), p->scratch + r * SLICE, columns);
    p->model->kernels->panel(p->scratch, SLICE, columns, out);
}

static void multiply_floats(const struct panel *p)
{
    const struct model_kernels *k = p->model->kernels;
    float *panel = p->scratch + SLICE * k->nr, *sums = panel + SLICE * k->nr;
    size_t columns = p->in->columns;
    if (p->rows < k->nr)
        memset(p->scratch, 0, SLICE * k->nr * sizeof(float));
    for (size_t from = 0; from < columns; from += SLICE) {
        size_t slice = columns - from < SLICE ? columns - from : SLICE;
        decode_slice(p, from, slice, panel);
        prefetch_slice(p, from + SLICE);
        for (size_t g = 0; g < p->groups; g++) {
            const char *group = p->packed + g * p->group_bytes;
            struct kernel_tile tile = {
                .w = panel,
                .x = (const float *)(const void *)group + from * k->mr,
                .c = sums + g * k->mr * k->nr,
                .columns = slice,
                .m = rows_of_group(p, g),
                .add = from > 0,
            };
            k->tile(&tile);
        }
    }
    store_sums(p, sums);
}

/* ---- Integers -------------------------------------------------------------------- */

/* The panel of a slice. */
struct level_panel {
    uint8_t rows[KERNEL_NR8][SLICE];
    uint8_t levels[SLICE * KERNEL_NR8];
    float scale[SUBS * KERNEL_NR8], min[SUBS * KERNEL_NR8];
};

_Static_assert(sizeof(struct level_panel) <= 2 * SLICE * KERNEL_NR8 * sizeof(float),
               "the levels of a panel fit where its floats would be");

static void unpack_slice(const struct panel *p, size_t from, size_t columns,
                         struct level_panel *out)
{
    const struct quant_levels_format *format = p->product->weight->levels;
    struct quant_levels levels;
    memset(levels.min, 0, sizeof levels.min);
    for (size_t r = 0; r < p->rows; r++) {
        format->unpack(row_at(p, r, from), &levels, columns);
        memcpy(out->rows[r], levels.level, columns);
        for (size_t b = 0; b < columns / format->sub; b++) {
            out->scale[b * KERNEL_NR8 + r] = levels.scale[b];
            out->min[b * KERNEL_NR8 + r] = levels.min[b];
        }
    }
    /* Four levels travel as one float would: the panel kernel moves bits. */
    p->model->kernels->panel((const float *)(const void *)out->rows, SLICE / 4, columns / 4,
                             (float *)(void *)out->levels);
}

static void multiply_integers(const struct panel *p)
{
    const struct quant_levels_format *format = p->product->weight->levels;
    struct level_panel *panel = (struct level_panel *)(void *)p->scratch;
    float *sums = p->scratch + 2 * SLICE * KERNEL_NR8;
    size_t columns = p->in->columns;
    if (p->rows < KERNEL_NR8)
        memset(panel, 0, sizeof *panel);
    for (size_t from = 0; from < columns; from += SLICE) {
        size_t slice = columns - from < SLICE ? columns - from : SLICE;
        size_t block = from / format->sub * KERNEL_MR8;
        unpack_slice(p, from, slice, panel);
        prefetch_slice(p, from + SLICE);
        for (size_t g = 0; g < p->groups; g++) {
            struct pack_parts parts =
                pack_parts_of(&p->kind, columns, (void *)(p->packed + g * p->group_bytes));
            struct kernel_tile8 tile = {
                .w = panel->levels,
                .scale = panel->scale,
                .min = format->has_min ? panel->min : NULL,
                .x = parts.x + from * KERNEL_MR8,
                .dx = parts.dx + block,
                .xs = parts.xs + block,
                .start = parts.start + block,
                .c = sums + g * KERNEL_MR8 * KERNEL_NR8,
                .blocks = slice / format->sub,
                .m = rows_of_group(p, g),
                .sub = format->sub,
                .add = from > 0,
            };
            p->model->kernels8->tile(&tile);
        }
    }
    store_sums(p, sums);
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
    (p.kind.integers ? multiply_integers : multiply_floats)(&p);
}

/* Products that share a laid-out input. */
static void multiply_shared(struct model_context *ctx, const struct pack_input *in,
                            const struct model_product *products, size_t count)
{
    const struct model *model = ctx->model;
    struct pack_kind kind = pack_kind_of(model, products[0].weight);
    size_t mr = pack_group_rows(model, &kind), panels = 0;
    struct panel all = {.model = model,
                        .product = products,
                        .in = in,
                        .kind = kind,
                        .packed = ctx->packed,
                        .groups = (in->n + mr - 1) / mr,
                        .group_bytes = pack_group_bytes(model, &kind, in->columns)};
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
        struct pack_kind kind = pack_kind_of(ctx->model, products[from].weight);
        for (to = from + 1; to < count; to++) {
            struct pack_kind next = pack_kind_of(ctx->model, products[to].weight);
            if (!pack_same(&kind, &next))
                break;
        }
        multiply_shared(ctx, &in, products + from, to - from);
    }
}
