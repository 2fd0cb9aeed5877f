/*
 * The inner loops of the forward pass. Everything in model/kernels/ is compiled once for
 * each level of the processor (the table LEVELS in the Makefile). Results are the same bytes
 * at all levels: sums of floats run in the order of the columns, with fused multiply-adds,
 * sums of integers are exact. A product in integers differs from the same product in floats
 * by rounding in the last bits.
 */
#ifndef MODEL_KERNELS_H
#define MODEL_KERNELS_H

#include <stddef.h>
#include <stdint.h>

#include "quant/quant.h"

#ifndef QUANT_LEVEL
#define QUANT_LEVEL scalar
#endif
#define KERNEL_JOIN_(name, level) name##_##level
#define KERNEL_JOIN(name, level)  KERNEL_JOIN_(name, level)
#define KERNEL_NAME(name)         KERNEL_JOIN(name, QUANT_LEVEL)

/*
 * A tile of a matrix product: c[i][r] (+)= sum over j of x[i][j] w[r][j], for i < m <= mr
 * and r < nr.
 *
 *     w  [columns][nr]  a panel of nr rows, column by column
 *     x  [columns][mr]  m rows, column by column; the rest is not used
 *     c  [m][nr]
 */
struct kernel_tile {
    const float *w, *x;
    float *c;
    size_t columns, m;
    bool add; /* to what c holds */
};

/*
 * The same for one input, with nr rows of `columns` weights as they lie in memory, row_bytes
 * apart: c[r] (+)= sum over j of x[j] w[r][j], for r < nr. Weights may be of any alignment.
 */
struct kernel_rows {
    const unsigned char *w;
    const float *x; /* [columns] */
    float *c;       /* [nr] */
    size_t row_bytes, columns;
    bool add; /* to what c holds */
};
typedef void (*kernel_rows_fn)(const struct kernel_rows *rows);

struct model_kernels {
    size_t mr, nr;
    void (*tile)(const struct kernel_tile *tile);
    kernel_rows_fn rows_f32, rows_f16, rows_bf16;
    /* out[j][r] = rows[r * stride + j] for r < nr, j < columns */
    void (*panel)(const float *rows, size_t stride, size_t columns, float *out);
    /* out[i] = x[i] rounded to half precision */
    void (*round_half)(const float *x, float *out, size_t n);
    /* x[i] = exp(x[i] * scale - max(x * scale)), returns the sum */
    float (*softmax)(float *x, size_t n, float scale);
    /* gate[i] = silu(gate[i]) * up[i], and gelu (tanh form); up NULL: 1 */
    void (*silu)(float *gate, const float *up, size_t n);
    void (*gelu)(float *gate, const float *up, size_t n);
};

/*
 * A tile of a product of quantized rows: c[i][r] (+)= sum over sub-blocks b of
 *     scale[b][r] dx[b][i] (start[b][i] + sum of w[..][r] x[..][i]) - min[b][r] xs[b][i]
 * for i < mr and r < nr of struct model_kernels8; rows i >= m are computed and of no use.
 *
 *     w          [columns / 4][nr][4]   levels
 *     scale, min [blocks][nr]           min NULL: none
 *     x          [columns / 4][mr][4]
 *     dx         [blocks][mr]           scales of the inputs
 *     xs         [blocks][mr]           dx times the sum of x
 *     start      [blocks][mr]           (bias - the levels' offset) times the sum of x
 *     c          [mr][nr]
 */
struct kernel_tile8 {
    const uint8_t *w;
    const float *scale, *min;
    const int8_t *x;
    const float *dx, *xs;
    const int32_t *start;
    float *c;
    size_t blocks;
    unsigned sub; /* columns of a sub-block: 16 or 32 */
    bool wide;    /* levels of 8 bits; sub is 32 then, and min NULL */
    bool add;     /* to what c holds */
};

/*
 * The sub-blocks of one row with one input: values[b] = scale[b] (start[b] + sum of w x).
 *
 *     w      [columns]    levels, up to 256 columns
 *     x      [columns], and zeros up to a multiple of 128; so far w is read as well
 *     scale, start, values  [blocks]
 */
struct kernel_row8 {
    const uint8_t *w;
    const float *scale;
    const int8_t *x;
    const int32_t *start;
    float *values;
    size_t blocks;
    unsigned sub;
    bool wide;
};
#define KERNEL_ROW_COLUMNS 256 /* of one call, at most */

/* What a tile makes of the values: c[r] (+)= sum over b of values[b][r] dx[b] - min[b][r] xs[b]
 */
struct kernel_mix8 {
    const float *values, *min; /* [blocks][nr]; min NULL: none */
    const float *dx, *xs;      /* [blocks] */
    float *c;                  /* [nr] */
    size_t blocks;
    bool add; /* to what c holds */
};

/* Products in integers, with one set of instructions of a level. nr is that of the level's
 * struct model_kernels. */
struct model_kernels8 {
    const char *name;   /* NULL: the end of the list */
    bool (*runs)(void); /* on this machine, if the level does */
    size_t mr, nr;
    int bias[2]; /* what the kernel takes off narrow levels, and off wide ones */
    void (*tile)(const struct kernel_tile8 *tile);
    void (*row)(const struct kernel_row8 *row);
    void (*mix)(const struct kernel_mix8 *mix);
};

#define KERNEL_MAX_MR 16
#define KERNEL_MAX_NR 32

/* The sets of instructions of a level, the best first; each gives the same bytes. */
const struct model_kernels8 *model_kernels8_of(enum quant_cpu cpu);
/* The best that this machine runs. */
const struct model_kernels8 *model_kernels8_at(enum quant_cpu cpu);

/* The kernels of a level that the machine runs. */
const struct model_kernels *model_kernels_at(enum quant_cpu cpu);

#endif
