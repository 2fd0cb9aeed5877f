/*
 * Panels multiplied in integers: levels of the weights with activations in 8 bits.
 *
 * For many inputs the levels of a slice are laid out by fours of columns, and used for all of
 * them. For one or two each row of the matrix, read from end to end, is reduced to a value for
 * each sub-block (kernels.h), and these are multiplied as floats.
 */
#include <string.h>

#include "model/matmul.h"

#define SUBS (PANEL_COLUMNS / 16)

/* ---- Many inputs ----------------------------------------------------------------- */

/* The panel of a slice. */
struct level_panel {
    uint8_t rows[KERNEL_MAX_NR][PANEL_COLUMNS];
    uint8_t levels[PANEL_COLUMNS * KERNEL_MAX_NR];                /* [columns / 4][nr][4] */
    float scale[SUBS * KERNEL_MAX_NR], min[SUBS * KERNEL_MAX_NR]; /* [sub-blocks][nr] */
};

static void unpack_slice(const struct panel *p, size_t from, size_t columns,
                         struct level_panel *out)
{
    const struct quant_levels_format *format = p->product->weight->levels;
    size_t nr = p->model->kernels8->nr;
    struct quant_levels levels;
    memset(levels.min, 0, sizeof levels.min);
    for (size_t r = 0; r < p->rows; r++) {
        format->unpack(panel_row(p, r, from), &levels, columns);
        memcpy(out->rows[r], levels.level, columns);
        for (size_t b = 0; b < columns / format->sub; b++) {
            out->scale[b * nr + r] = levels.scale[b];
            out->min[b * nr + r] = levels.min[b];
        }
    }
}

/* What all groups of inputs have in common. */
static struct kernel_tile8 tile_of(const struct panel *p, const struct level_panel *panel,
                                   size_t from, size_t columns)
{
    const struct quant_levels_format *format = p->product->weight->levels;
    return (struct kernel_tile8){
        .w = panel->levels,
        .scale = panel->scale,
        .min = format->has_min ? panel->min : NULL,
        .blocks = columns / format->sub,
        .sub = format->sub,
        .wide = pack_wide(p->product->weight),
        .add = from > 0,
    };
}

/* Columns from `from` on of the inputs of group g, with their sums. */
static void set_inputs(const struct panel *p, size_t g, size_t from, struct kernel_tile8 *tile)
{
    struct pack_parts parts =
        pack_parts_of(&p->kind, p->in->columns, (void *)(p->packed + g * p->group_bytes));
    size_t block = from / tile->sub * p->kind.mr;
    tile->x = parts.x + from * p->kind.mr;
    tile->dx = parts.dx + block;
    tile->xs = parts.xs + block;
    tile->start = parts.start + block;
}

static void multiply_many(const struct panel *p)
{
    const struct model_kernels8 *k = p->model->kernels8;
    struct level_panel *panel = (struct level_panel *)(void *)p->scratch;
    float *sums = (float *)(void *)(panel + 1);
    size_t columns = p->in->columns;
    if (p->rows < k->nr)
        memset(panel, 0, sizeof *panel);
    for (size_t from = 0; from < columns; from += PANEL_COLUMNS) {
        size_t slice = columns - from < PANEL_COLUMNS ? columns - from : PANEL_COLUMNS;
        unpack_slice(p, from, slice, panel);
        panel_prefetch(p, from + PANEL_COLUMNS);
        /* Four levels travel as one float would: the panel kernel moves bits. */
        p->model->kernels->panel((const float *)(const void *)panel->rows, PANEL_COLUMNS / 4,
                                 slice / 4, (float *)(void *)panel->levels);
        struct kernel_tile8 tile = tile_of(p, panel, from, slice);
        for (size_t g = 0; g < p->groups; g++) {
            set_inputs(p, g, from, &tile);
            tile.c = sums + g * k->mr * k->nr;
            k->tile(&tile);
        }
    }
    panel_store(p, sums);
}

/* ---- Few inputs ------------------------------------------------------------------ */

#define FEW_COLUMNS 2048
#define FEW_VALUES  (FEW_COLUMNS / 16)

struct few_panel {
    float rows[PACK_FEW_ROWS][KERNEL_MAX_NR][FEW_VALUES];
    float row_min[KERNEL_MAX_NR][FEW_VALUES + SUBS]; /* room for a whole copy at the end */
    float values[FEW_VALUES * KERNEL_MAX_NR], min[FEW_VALUES * KERNEL_MAX_NR]; /* [][nr] */
};

/* A panel with its inputs, and what would be divided for again and again. */
struct few_work {
    const struct panel *p;
    struct few_panel *panel;
    struct pack_parts in[PACK_FEW_ROWS];
    size_t bytes;  /* of KERNEL_ROW_COLUMNS columns of a row */
    size_t blocks; /* sub-blocks in as many */
};

static struct few_work few_work_of(const struct panel *p)
{
    const struct model_weight *w = p->product->weight;
    struct few_work work = {
        .p = p,
        .panel = (struct few_panel *)(void *)p->scratch,
        .bytes = (size_t)KERNEL_ROW_COLUMNS / w->info->block_elements * w->info->block_bytes,
        .blocks = (size_t)KERNEL_ROW_COLUMNS / w->levels->sub,
    };
    for (size_t g = 0; g < p->groups; g++)
        work.in[g] =
            pack_parts_of(&p->kind, p->in->columns, (void *)(p->packed + g * p->group_bytes));
    if (p->rows < p->model->kernels8->nr)
        memset(work.panel, 0, sizeof *work.panel);
    return work;
}

/* Rows are read from end to end: what comes next is asked for early. */
static void prefetch_ahead(const unsigned char *bytes, size_t n)
{
    for (size_t at = 0; at < n; at += 64)
        __builtin_prefetch(bytes + 4096 + at);
}

/* Row r of the panel, columns [from, from + columns), with all inputs. */
static void reduce_row(const struct few_work *w, size_t r, size_t from, size_t columns)
{
    const struct quant_levels_format *format = w->p->product->weight->levels;
    const unsigned char *bytes = panel_row(w->p, r, from);
    size_t first = from / KERNEL_ROW_COLUMNS * w->blocks, block = 0;
    struct quant_levels levels;
    memset(levels.min, 0, sizeof levels.min);
    struct kernel_row8 row = {.w = levels.level,
                              .scale = levels.scale,
                              .blocks = w->blocks,
                              .sub = format->sub,
                              .wide = pack_wide(w->p->product->weight)};
    for (size_t at = 0; at < columns; at += KERNEL_ROW_COLUMNS, block += w->blocks) {
        size_t part = columns - at < KERNEL_ROW_COLUMNS ? columns - at : KERNEL_ROW_COLUMNS;
        prefetch_ahead(bytes, w->bytes);
        format->unpack(bytes, &levels, part);
        bytes += w->bytes;
        if (part < KERNEL_ROW_COLUMNS)
            row.blocks = part / format->sub;
        if (format->has_min)
            memcpy(w->panel->row_min[r] + block, levels.min, sizeof levels.min);
        for (size_t g = 0; g < w->p->groups; g++) {
            row.x = w->in[g].x + from + at;
            row.start = w->in[g].start + first + block;
            row.values = w->panel->rows[g][r] + block;
            w->p->model->kernels8->row(&row);
        }
    }
}

/* sums [groups][nr] (+)= the rows' values of n sub-blocks from `first` on */
static void mix_values(const struct few_work *w, size_t first, size_t n, float *sums)
{
    const struct model_kernels *k = w->p->model->kernels;
    bool has_min = w->p->product->weight->levels->has_min;
    if (has_min)
        k->panel(w->panel->row_min[0], FEW_VALUES + SUBS, n, w->panel->min);
    for (size_t g = 0; g < w->p->groups; g++) {
        k->panel(w->panel->rows[g][0], FEW_VALUES, n, w->panel->values);
        struct kernel_mix8 mix = {.values = w->panel->values,
                                  .min = has_min ? w->panel->min : NULL,
                                  .dx = w->in[g].dx + first,
                                  .xs = w->in[g].xs + first,
                                  .c = sums + g * k->nr,
                                  .blocks = n,
                                  .add = first > 0};
        w->p->model->kernels8->mix(&mix);
    }
}

static void multiply_few(const struct panel *p)
{
    struct few_work work = few_work_of(p);
    float *sums = (float *)(void *)(work.panel + 1);
    size_t columns = p->in->columns, sub = p->kind.sub;
    for (size_t from = 0; from < columns; from += FEW_COLUMNS) {
        size_t slice = columns - from < FEW_COLUMNS ? columns - from : FEW_COLUMNS;
        for (size_t r = 0; r < p->rows; r++)
            reduce_row(&work, r, from, slice);
        mix_values(&work, from / sub, slice / sub, sums);
    }
    panel_store(p, sums);
}

void levels_multiply(const struct panel *p)
{
    (p->kind.mr == 1 ? multiply_few : multiply_many)(p);
}

size_t levels_panel_bytes(void)
{
    size_t many = sizeof(struct level_panel), few = sizeof(struct few_panel);
    return many > few ? many : few;
}
