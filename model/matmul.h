/* Panels of matrix products, and their working memory. Inside model/ only. */
#ifndef MODEL_MATMUL_H
#define MODEL_MATMUL_H

#include "model/internal.h"
#include "model/pack.h"

/* The laid-out input, and the scratch of one thread. */
size_t matmul_packed_bytes(const struct model *model, size_t n, size_t columns);
size_t matmul_scratch_bytes(const struct model *model, size_t n);

/* Columns that are multiplied at once: a whole number of blocks of every type. */
#define PANEL_COLUMNS 256

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
const unsigned char *panel_row(const struct panel *p, size_t r, size_t from);

/* Asks for the bytes of the slice at `from` while another is multiplied: the rows lie far
 * apart, and the processor does not foresee them. */
void panel_prefetch(const struct panel *p, size_t from);

/* Writes sums [n][nr] to y. */
void panel_store(const struct panel *p, const float *sums);

/* Multiplies a panel in integers (matmul_levels.c). */
void levels_multiply(const struct panel *p);
size_t levels_panel_bytes(void);

#endif
