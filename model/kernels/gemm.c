/* Matrix product of floats: tiles that stay in registers. */
#include <string.h>

#include "model/kernels/inner.h"
#include "model/kernels/lanes.h"

/* Registers of a tile: MR rows of VECTORS vectors, besides the operands. */
#if LANES == 16
#define MR      14
#define VECTORS 2
#elif LANES == 8
#define MR      6
#define VECTORS 2
#elif LANES == 4
#define MR      8
#define VECTORS 2
#else
#define MR      4
#define VECTORS 4
#endif
#define NR (LANES * VECTORS)

/* The tile for a number of rows that the compiler knows, so that sums[] are registers. */
static inline __attribute__((always_inline)) void tile_rows(const struct kernel_tile *t,
                                                            const size_t m)
{
    lanes sums[MR][VECTORS];
    for (size_t i = 0; i < m; i++)
        for (size_t v = 0; v < VECTORS; v++)
            sums[i][v] = t->add ? lanes_load(t->c + i * NR + v * LANES) : lanes_all(0.0f);
    const float *w = t->w, *x = t->x;
    for (size_t j = 0; j < t->columns; j++, w += NR, x += MR) {
        lanes weights[VECTORS];
        for (size_t v = 0; v < VECTORS; v++)
            weights[v] = lanes_load(w + v * LANES);
#pragma GCC unroll 16
        for (size_t i = 0; i < m; i++) {
            lanes input = lanes_all(x[i]);
            for (size_t v = 0; v < VECTORS; v++)
                sums[i][v] = lanes_fma(input, weights[v], sums[i][v]);
        }
    }
    for (size_t i = 0; i < m; i++)
        for (size_t v = 0; v < VECTORS; v++)
            lanes_store(t->c + i * NR + v * LANES, sums[i][v]);
}

void KERNEL_NAME(kernel_tile)(const struct kernel_tile *t)
{
    if (t->m == MR) {
        tile_rows(t, MR);
        return;
    }
    struct kernel_tile part = *t;
    size_t left = t->m;
    while (left > 0) {
        size_t rows = left >= 4 ? 4 : left >= 2 ? 2 : 1;
        if (rows == 4)
            tile_rows(&part, 4);
        else if (rows == 2)
            tile_rows(&part, 2);
        else
            tile_rows(&part, 1);
        part.x += rows;
        part.c += rows * NR;
        left -= rows;
    }
}

void KERNEL_NAME(kernel_panel)(const float *rows, size_t stride, size_t columns, float *out)
{
    for (size_t j = 0; j < columns; j++)
        for (size_t r = 0; r < NR; r++)
            out[j * NR + r] = rows[r * stride + j];
}

const struct model_kernels KERNEL_NAME(model_kernels) = {
    .mr = MR,
    .nr = NR,
    .tile = KERNEL_NAME(kernel_tile),
    .panel = KERNEL_NAME(kernel_panel),
    .softmax = KERNEL_NAME(kernel_softmax),
    .silu = KERNEL_NAME(kernel_silu),
    .gelu = KERNEL_NAME(kernel_gelu),
};
