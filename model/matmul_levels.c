/*
 * Panels multiplied in integers: levels of the weights with activations in 8 bits.
 *
 * For many inputs the levels of a slice are laid out by fours of columns, and used for all of
 * them. For one or two they are multiplied row by row, as they come out of their blocks.
 */
#include <string.h>

#include "model/matmul.h"

#define SUBS (PANEL_COLUMNS / 16)

_Static_assert(KERNEL_ROW_COLUMNS == PANEL_COLUMNS, "a row of levels is a slice");

/* The panel of a slice. */
struct level_panel {
    uint8_t rows[KERNEL_MAX_NR][PANEL_COLUMNS];
    uint8_t levels[PANEL_COLUMNS * KERNEL_MAX_NR];                /* [columns / 4][nr][4] */
    float scale[SUBS * KERNEL_MAX_NR], min[SUBS * KERNEL_MAX_NR]; /* [sub-blocks][nr] */
};

size_t levels_panel_bytes(void)
{
    return sizeof(struct level_panel);
}

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

void levels_multiply(const struct panel *p)
{
    const struct model_kernels8 *k = p->model->kernels8;
    struct level_panel *panel = (struct level_panel *)(void *)p->scratch;
    float *sums = (float *)(void *)(panel + 1);
    bool few = p->kind.mr == 1;
    size_t columns = p->in->columns;
    if (p->rows < k->nr)
        memset(panel, 0, sizeof *panel);
    for (size_t from = 0; from < columns; from += PANEL_COLUMNS) {
        size_t slice = columns - from < PANEL_COLUMNS ? columns - from : PANEL_COLUMNS;
        unpack_slice(p, from, slice, panel);
        panel_prefetch(p, from + PANEL_COLUMNS);
        if (!few) /* four levels travel as one float would: the panel kernel moves bits */
            p->model->kernels->panel((const float *)(const void *)panel->rows,
                                     PANEL_COLUMNS / 4, slice / 4,
                                     (float *)(void *)panel->levels);
        struct kernel_tile8 tile = tile_of(p, panel, from, slice);
        tile.w = few ? panel->rows[0] : panel->levels;
        for (size_t g = 0; g < p->groups; g++) {
            set_inputs(p, g, from, &tile);
            tile.c = sums + g * p->kind.mr * k->nr;
            (few ? k->row : k->tile)(&tile);
        }
    }
    panel_store(p, sums);
}
