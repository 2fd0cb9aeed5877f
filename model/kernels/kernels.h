/*
 * The inner loops of the forward pass. Everything in model/kernels/ is compiled once for
 * each level of the processor (the table LEVELS in the Makefile). The results of struct
 * model_kernels are the same at all levels: every sum runs in the order of the columns, with
 * fused multiply-adds. Products in integers (model_kernels8) differ from the same products in
 * floats by rounding in the last bits.
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

struct model_kernels {
    size_t mr, nr;
    void (*tile)(const struct kernel_tile *tile);
    /* out[j][r] = rows[r * stride + j] for r < nr, j < columns */
    void (*panel)(const float *rows, size_t stride, size_t columns, float *out);
    /* Half precision to float; float rounded to half precision. */
    quant_decode_fn from_half;
    void (*round_half)(const float *x, float *out, size_t n);
    /* x[i] = exp(x[i] * scale - max(x * scale)), returns the sum */
    float (*softmax)(float *x, size_t n, float scale);
    /* gate[i] = silu(gate[i]) * up[i], and gelu (tanh form); up NULL: 1 */
    void (*silu)(float *gate, const float *up, size_t n);
    void (*gelu)(float *gate, const float *up, size_t n);
};

#define KERNEL_MR8 6
#define KERNEL_NR8 32

/*
 * A tile of a product of quantized rows: c[i][r] (+)= sum over sub-blocks b of
 *     scale[b][r] dx[b][i] (start[b][i] + sum of w[..][r] x[..][i]) - min[b][r] xs[b][i]
 * for i < m and r < KERNEL_NR8. Rows of c up to KERNEL_MR8 may be written if m > 1.
 *
 *     w          [columns / 4][KERNEL_NR8][4]   levels
 *     scale, min [blocks][KERNEL_NR8]           min NULL: none
 *     x          [columns / 4][KERNEL_MR8][4]
 *     dx         [blocks][KERNEL_MR8]           scales of the inputs
 *     xs         [blocks][KERNEL_MR8]           dx times the sum of x
 *     start      [blocks][KERNEL_MR8]           minus the levels' offset times the sum of x
 *     c          [KERNEL_MR8][KERNEL_NR8]
 */
struct kernel_tile8 {
    const uint8_t *w;
    const float *scale, *min;
    const int8_t *x;
    const float *dx, *xs;
    const int32_t *start;
    float *c;
    size_t blocks, m;
    unsigned sub; /* columns of a sub-block: 16 or 32 */
    bool add;
};

struct model_kernels8 {
    void (*tile)(const struct kernel_tile8 *tile);
};

/* Products in integers, of the same panels as model_kernels_at; NULL where the machine has no
 * instruction for them or the level is another. */
const struct model_kernels8 *model_kernels8_at(enum quant_cpu cpu);

/* The kernels of a level that the machine runs. */
const struct model_kernels *model_kernels_at(enum quant_cpu cpu);

#endif
