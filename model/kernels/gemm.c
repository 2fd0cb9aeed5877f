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

#if QUANT_LANES == 16
/* Transposes 16 rows of 16 floats: by pairs, by fours, then quarters of registers. */
static inline void transpose(const float *rows, size_t stride, float *out, size_t out_stride)
{
    __m512 a[16], b[16];
#pragma GCC unroll 16
    for (size_t i = 0; i < 16; i++)
        a[i] = _mm512_loadu_ps(rows + i * stride);
#pragma GCC unroll 8
    for (size_t i = 0; i < 16; i += 2) {
        b[i] = _mm512_unpacklo_ps(a[i], a[i + 1]);
        b[i + 1] = _mm512_unpackhi_ps(a[i], a[i + 1]);
    }
#pragma GCC unroll 4
    for (size_t i = 0; i < 16; i += 4) {
        __m512d b0 = _mm512_castps_pd(b[i]), b1 = _mm512_castps_pd(b[i + 1]);
        __m512d b2 = _mm512_castps_pd(b[i + 2]), b3 = _mm512_castps_pd(b[i + 3]);
        a[i] = _mm512_castpd_ps(_mm512_unpacklo_pd(b0, b2));
        a[i + 1] = _mm512_castpd_ps(_mm512_unpackhi_pd(b0, b2));
        a[i + 2] = _mm512_castpd_ps(_mm512_unpacklo_pd(b1, b3));
        a[i + 3] = _mm512_castpd_ps(_mm512_unpackhi_pd(b1, b3));
    }
#pragma GCC unroll 4
    for (size_t i = 0; i < 4; i++) { /* a[4 g + i] holds columns i, 4 + i, ... of rows 4 g.. */
        __m512 low = _mm512_shuffle_f32x4(a[i], a[4 + i], 0x44);
        __m512 high = _mm512_shuffle_f32x4(a[i], a[4 + i], 0xee);
        __m512 low2 = _mm512_shuffle_f32x4(a[8 + i], a[12 + i], 0x44);
        __m512 high2 = _mm512_shuffle_f32x4(a[8 + i], a[12 + i], 0xee);
        _mm512_storeu_ps(out + i * out_stride, _mm512_shuffle_f32x4(low, low2, 0x88));
        _mm512_storeu_ps(out + (4 + i) * out_stride, _mm512_shuffle_f32x4(low, low2, 0xdd));
        _mm512_storeu_ps(out + (8 + i) * out_stride, _mm512_shuffle_f32x4(high, high2, 0x88));
        _mm512_storeu_ps(out + (12 + i) * out_stride, _mm512_shuffle_f32x4(high, high2, 0xdd));
    }
}
#else
static inline void transpose(const float *rows, size_t stride, float *out, size_t out_stride)
{
    for (size_t j = 0; j < QUANT_LANES; j++)
        for (size_t r = 0; r < QUANT_LANES; r++)
            out[j * out_stride + r] = rows[r * stride + j];
}
#endif

void KERNEL_NAME(kernel_panel)(const float *rows, size_t stride, size_t columns, float *out)
{
    size_t j = 0;
    for (; j + QUANT_LANES <= columns; j += QUANT_LANES)
        for (size_t r = 0; r < NR; r += QUANT_LANES)
            transpose(rows + r * stride + j, stride, out + j * NR + r, NR);
    for (; j < columns; j++)
        for (size_t r = 0; r < NR; r++)
            out[j * NR + r] = rows[r * stride + j];
}

/* ---- Half precision -------------------------------------------------------------- */

void KERNEL_NAME(kernel_from_half)(const void *blocks, float *out, size_t n)
{
    const char *half = blocks; /* of any alignment */
    size_t i = 0;
#if QUANT_LANES == 16
    for (; i + 16 <= n; i += 16)
        _mm512_storeu_ps(out + i,
                         _mm512_cvtph_ps(_mm256_loadu_si256((const void *)(half + 2 * i))));
#elif QUANT_LANES == 8
    for (; i + 8 <= n; i += 8)
        _mm256_storeu_ps(out + i,
                         _mm256_cvtph_ps(_mm_loadu_si128((const void *)(half + 2 * i))));
#endif
    for (; i < n; i++) {
        uint16_t bits;
        memcpy(&bits, half + 2 * i, sizeof bits);
        out[i] = fp16_to_float(bits);
    }
}

void KERNEL_NAME(kernel_round_half)(const float *x, float *out, size_t n)
{
    size_t i = 0;
#if QUANT_LANES == 16
    for (; i + 16 <= n; i += 16)
        _mm512_storeu_ps(out + i, _mm512_cvtph_ps(_mm512_cvtps_ph(_mm512_loadu_ps(x + i), 8)));
#elif QUANT_LANES == 8
    for (; i + 8 <= n; i += 8)
        _mm256_storeu_ps(out + i, _mm256_cvtph_ps(_mm256_cvtps_ph(_mm256_loadu_ps(x + i), 0)));
#endif
    for (; i < n; i++)
        out[i] = fp16_to_float(fp16_from_float(x[i]));
}

const struct model_kernels KERNEL_NAME(model_kernels) = {
    .mr = MR,
    .nr = NR,
    .tile = KERNEL_NAME(kernel_tile),
    .panel = KERNEL_NAME(kernel_panel),
    .from_half = KERNEL_NAME(kernel_from_half),
    .round_half = KERNEL_NAME(kernel_round_half),
    .softmax = KERNEL_NAME(kernel_softmax),
    .silu = KERNEL_NAME(kernel_silu),
    .gelu = KERNEL_NAME(kernel_gelu),
};
