/* Matrix product of floats: tiles that stay in registers. */
#include <string.h>

#include "model/kernels/inner.h"
#include "quant/fp.h"

/* Registers of a tile: MR rows of VECTORS vectors, besides the operands. */
#if QUANT_LANES == 16
#define MR 14
#elif QUANT_LANES == 8
#define MR 6
#elif QUANT_LANES == 4
#define MR 8
#else
#define MR 4
#endif

/* The tile for a number of rows that the compiler knows, so that sums[] are registers. */
static inline __attribute__((always_inline)) void tile_rows(const struct kernel_tile *t,
                                                            const size_t m)
{
    lanes sums[MR][VECTORS];
    for (size_t i = 0; i < m; i++)
        for (size_t v = 0; v < VECTORS; v++)
            sums[i][v] = t->add ? lanes_load(t->c + i * NR + v * QUANT_LANES) : lanes_all(0.0f);
    const float *w = t->w, *x = t->x;
    for (size_t j = 0; j < t->columns; j++, w += NR, x += MR) {
        lanes weights[VECTORS];
        for (size_t v = 0; v < VECTORS; v++)
            weights[v] = lanes_load(w + v * QUANT_LANES);
#pragma GCC unroll 16
        for (size_t i = 0; i < m; i++) {
            lanes input = lanes_all(x[i]);
            for (size_t v = 0; v < VECTORS; v++)
                sums[i][v] = lanes_fma(input, weights[v], sums[i][v]);
        }
    }
    for (size_t i = 0; i < m; i++)
        for (size_t v = 0; v < VECTORS; v++)
            lanes_store(t->c + i * NR + v * QUANT_LANES, sums[i][v]);
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

/* ---- Panels ---------------------------------------------------------------------- */

void KERNEL_NAME(kernel_panel)(const float *rows, size_t stride, size_t columns, float *out)
{
    size_t j = 0;
    for (; j + QUANT_LANES <= columns; j += QUANT_LANES)
        for (size_t r = 0; r < NR; r += QUANT_LANES)
            lanes_transpose(rows + r * stride + j, stride, out + j * NR + r, NR);
    for (; j < columns; j++)
        for (size_t r = 0; r < NR; r++)
            out[j * NR + r] = rows[r * stride + j];
}

/* ---- Rows as they lie in memory -------------------------------------------------- */

/* What comes next in each of NR rows is asked for early, but not into the first cache: rows
 * that lie a power of two apart would evict each other. */
#define AHEAD      512
#define CACHE_NEXT 2

/* How a type's weights are loaded. */
struct row_type {
    lanes (*load)(const void *weights);
    size_t bytes; /* of one weight */
};

/* *sum += columns [j, j + n) of as many rows as there are lanes, turned in registers */
LANES_OP void add_square(const struct kernel_rows *t, const struct row_type type,
                         const unsigned char *w, size_t j, size_t n, lanes *sum)
{
    lanes square[QUANT_LANES];
    for (size_t l = 0; l < QUANT_LANES; l++, w += t->row_bytes) {
        unsigned char part[QUANT_LANES * sizeof(float)] = {0};
        __builtin_prefetch(w + AHEAD, 0, CACHE_NEXT);
        if (n < QUANT_LANES)
            memcpy(part, w, n * type.bytes);
        square[l] = type.load(n < QUANT_LANES ? part : w);
    }
    lanes_turn(square);
#pragma GCC unroll 16
    for (size_t i = 0; i < QUANT_LANES && i < n; i++)
        *sum = lanes_fma(lanes_all(t->x[j + i]), square[i], *sum);
}

LANES_OP void add_rows(const struct kernel_rows *t, const struct row_type type)
{
    lanes sums[VECTORS];
    for (size_t v = 0; v < VECTORS; v++)
        sums[v] = t->add ? lanes_load(t->c + v * QUANT_LANES) : lanes_all(0.0f);
    size_t j = 0, left = t->columns % QUANT_LANES;
    const unsigned char *w = t->w;
    for (; j + left < t->columns; j += QUANT_LANES, w += QUANT_LANES * type.bytes)
        for (size_t v = 0; v < VECTORS; v++)
            add_square(t, type, w + v * QUANT_LANES * t->row_bytes, j, QUANT_LANES, &sums[v]);
    if (left > 0)
        for (size_t v = 0; v < VECTORS; v++)
            add_square(t, type, w + v * QUANT_LANES * t->row_bytes, j, left, &sums[v]);
    for (size_t v = 0; v < VECTORS; v++)
        lanes_store(t->c + v * QUANT_LANES, sums[v]);
}

LANES_OP lanes load_float(const void *weights)
{
    lanes v;
    memcpy(&v, weights, sizeof v);
    return v;
}

/* The upper halves of floats. */
LANES_OP lanes load_bf16(const void *weights)
{
    uint16_t halves[QUANT_LANES];
    uint32_t words[QUANT_LANES];
    memcpy(halves, weights, sizeof halves);
    for (size_t l = 0; l < QUANT_LANES; l++)
        words[l] = (uint32_t)halves[l] << 16;
    return load_float(words);
}

void KERNEL_NAME(kernel_rows_f32)(const struct kernel_rows *t)
{
    add_rows(t, (struct row_type){load_float, sizeof(float)});
}

void KERNEL_NAME(kernel_rows_f16)(const struct kernel_rows *t)
{
    add_rows(t, (struct row_type){lanes_load_half, sizeof(uint16_t)});
}

void KERNEL_NAME(kernel_rows_bf16)(const struct kernel_rows *t)
{
    add_rows(t, (struct row_type){load_bf16, sizeof(uint16_t)});
}

/* ---- Half precision -------------------------------------------------------------- */

void KERNEL_NAME(kernel_round_half)(const float *x, float *out, size_t n)
{
    size_t i = 0;
    for (; i + QUANT_LANES <= n; i += QUANT_LANES)
        lanes_store(out + i, lanes_through_half(lanes_load(x + i)));
    for (; i < n; i++)
        out[i] = fp16_to_float(fp16_from_float(x[i]));
}

const struct model_kernels KERNEL_NAME(model_kernels) = {
    .mr = MR,
    .nr = NR,
    .tile = KERNEL_NAME(kernel_tile),
    .panel = KERNEL_NAME(kernel_panel),
    .rows_f32 = KERNEL_NAME(kernel_rows_f32),
    .rows_f16 = KERNEL_NAME(kernel_rows_f16),
    .rows_bf16 = KERNEL_NAME(kernel_rows_bf16),
    .round_half = KERNEL_NAME(kernel_round_half),
    .softmax = KERNEL_NAME(kernel_softmax),
    .silu = KERNEL_NAME(kernel_silu),
    .gelu = KERNEL_NAME(kernel_gelu),
};
