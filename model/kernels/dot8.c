/*
 * Matrix product of levels and int8 activations, for AVX-512 with VNNI: one instruction
 * multiplies four unsigned bytes of each of 16 rows with four signed bytes of one input and
 * adds the products to 16 sums.
 */
#include "model/kernels/inner.h"

#if defined(__AVX512F__)
#include <immintrin.h>
#include <string.h>

#define VNNI __attribute__((target("avx512vnni")))
#define MR   KERNEL_MR8
#define NR   KERNEL_NR8

/* What the compiler knows of a tile. */
struct tile_kind {
    size_t m;
    size_t quads; /* of 4 columns in a sub-block: 4 or 8 */
    bool has_min;
};

VNNI static inline __attribute__((always_inline)) void add_block(const struct kernel_tile8 *t,
                                                                 const struct tile_kind kind,
                                                                 size_t b, __m512 sums[MR][2])
{
    __m512i products[MR][2];
    const uint8_t *w = t->w + b * kind.quads * NR * 4;
    const int8_t *x = t->x + b * kind.quads * MR * 4;
#pragma GCC unroll 6
    for (size_t i = 0; i < kind.m; i++)
        products[i][0] = products[i][1] = _mm512_set1_epi32(t->start[b * MR + i]);
#pragma GCC unroll 8
    for (size_t q = 0; q < kind.quads; q++) {
        __m512i w0 = _mm512_loadu_si512(w + q * NR * 4);
        __m512i w1 = _mm512_loadu_si512(w + q * NR * 4 + 64);
#pragma GCC unroll 6
        for (size_t i = 0; i < kind.m; i++) {
            int32_t four;
            memcpy(&four, x + (q * MR + i) * 4, sizeof four);
            __m512i input = _mm512_set1_epi32(four);
            products[i][0] = _mm512_dpbusd_epi32(products[i][0], w0, input);
            products[i][1] = _mm512_dpbusd_epi32(products[i][1], w1, input);
        }
    }
#pragma GCC unroll 2
    for (size_t v = 0; v < 2; v++) {
        __m512 scale = _mm512_loadu_ps(t->scale + b * NR + v * 16);
        __m512 min = kind.has_min ? _mm512_loadu_ps(t->min + b * NR + v * 16) : scale;
#pragma GCC unroll 6
        for (size_t i = 0; i < kind.m; i++) {
            __m512 value = _mm512_mul_ps(_mm512_cvtepi32_ps(products[i][v]), scale);
            sums[i][v] = _mm512_fmadd_ps(value, _mm512_set1_ps(t->dx[b * MR + i]), sums[i][v]);
            if (kind.has_min)
                sums[i][v] =
                    _mm512_fnmadd_ps(min, _mm512_set1_ps(t->xs[b * MR + i]), sums[i][v]);
        }
    }
}

VNNI static inline __attribute__((always_inline)) void run_tile(const struct kernel_tile8 *t,
                                                                const struct tile_kind kind)
{
    __m512 sums[MR][2];
#pragma GCC unroll 6
    for (size_t i = 0; i < kind.m; i++)
        for (size_t v = 0; v < 2; v++)
            sums[i][v] = t->add ? _mm512_loadu_ps(t->c + i * NR + v * 16) : _mm512_setzero_ps();
    for (size_t b = 0; b < t->blocks; b++)
        add_block(t, kind, b, sums);
#pragma GCC unroll 6
    for (size_t i = 0; i < kind.m; i++)
        for (size_t v = 0; v < 2; v++)
            _mm512_storeu_ps(t->c + i * NR + v * 16, sums[i][v]);
}

#define TILE(name, rows, quads, has_min)                                                       \
    VNNI static void name(const struct kernel_tile8 *t)                                        \
    {                                                                                          \
        run_tile(t, (struct tile_kind){rows, quads, has_min});                                 \
    }
TILE(tile_full_16, MR, 4, false)
TILE(tile_full_16_min, MR, 4, true)
TILE(tile_full_32, MR, 8, false)
TILE(tile_full_32_min, MR, 8, true)
TILE(tile_one_16, 1, 4, false)
TILE(tile_one_16_min, 1, 4, true)
TILE(tile_one_32, 1, 8, false)
TILE(tile_one_32_min, 1, 8, true)

void KERNEL_NAME(kernel_tile8)(const struct kernel_tile8 *t)
{
    static void (*const full[2][2])(const struct kernel_tile8 *) = {
        {tile_full_16, tile_full_16_min}, {tile_full_32, tile_full_32_min}};
    static void (*const one[2][2])(const struct kernel_tile8 *) = {
        {tile_one_16, tile_one_16_min}, {tile_one_32, tile_one_32_min}};
    bool wide = t->sub == 32, min = t->min != NULL;
    if (t->m > 1) { /* rows behind m are computed as well, and never stored to y */
        full[wide][min](t);
        return;
    }
    one[wide][min](t);
}

const struct model_kernels8 KERNEL_NAME(model_kernels8) = {KERNEL_NAME(kernel_tile8)};
#endif
