/*
 * Floats side by side: 16 lanes with AVX-512, 8 with AVX2, 4 with NEON, one in plain C.
 *
 * Whatever is written with these operations gives the same bits at every width: each is exact
 * or correctly rounded, fused multiply-add included, and none but lanes_any looks across lanes.
 * + - * / work on lanes as on floats. Comparisons with a NaN are false; lanes_min and lanes_max
 * then give the second operand. Inside quant/kernels/ and model/kernels/ only.
 */
#ifndef QUANT_KERNELS_LANES_H
#define QUANT_KERNELS_LANES_H

#include "quant/fp.h"

#include <math.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifndef QUANT_LANES
#define QUANT_LANES 1
#endif

#define LANES_OP static inline __attribute__((always_inline))

#if QUANT_LANES == 16
#include <immintrin.h>

typedef __m512 lanes;
typedef __mmask16 lanes_mask;

LANES_OP lanes lanes_load(const float *v)
{
    return _mm512_loadu_ps(v);
}

LANES_OP void lanes_store(float *out, lanes v)
{
    _mm512_storeu_ps(out, v);
}

LANES_OP lanes lanes_all(float v)
{
    return _mm512_set1_ps(v);
}

LANES_OP lanes lanes_fma(lanes a, lanes b, lanes c)
{
    return _mm512_fmadd_ps(a, b, c);
}

LANES_OP lanes lanes_fnma(lanes a, lanes b, lanes c)
{
    return _mm512_fnmadd_ps(a, b, c);
}

LANES_OP lanes lanes_min(lanes a, lanes b)
{
    return _mm512_min_ps(a, b);
}

LANES_OP lanes lanes_max(lanes a, lanes b)
{
    return _mm512_max_ps(a, b);
}

LANES_OP lanes lanes_round(lanes v)
{
    return _mm512_roundscale_ps(v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}

LANES_OP lanes lanes_abs(lanes v)
{
    return _mm512_abs_ps(v);
}

LANES_OP lanes lanes_sqrt(lanes v)
{
    return _mm512_sqrt_ps(v);
}

LANES_OP lanes_mask lanes_less(lanes a, lanes b)
{
    return _mm512_cmp_ps_mask(a, b, _CMP_LT_OQ);
}

LANES_OP lanes lanes_select(lanes_mask mask, lanes yes, lanes no)
{
    return _mm512_mask_blend_ps(mask, no, yes);
}

LANES_OP lanes lanes_through_half(lanes v)
{
    return _mm512_cvtph_ps(_mm512_cvtps_ph(v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
}

/* Whether it holds in a lane: to leave out what would change nothing. */
LANES_OP bool lanes_any(lanes_mask mask)
{
    return mask != 0;
}

/* table[index], index rounded to the nearest of 0..15. */
LANES_OP lanes lanes_lookup(const float table[16], lanes index)
{
    return _mm512_permutexvar_ps(_mm512_cvtps_epi32(index), _mm512_loadu_ps(table));
}

/* Integers 0..255 as bytes. */
LANES_OP void lanes_store_bytes(uint8_t *out, lanes v)
{
    _mm_storeu_si128((__m128i *)(void *)out, _mm512_cvtepi32_epi8(_mm512_cvtps_epi32(v)));
}

/* Sixteen halves, of any alignment. */
LANES_OP lanes lanes_load_half(const void *halves)
{
    return _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)halves));
}

/* Turns a square of lanes: lane l of a[i] becomes lane i of a[l]. */
LANES_OP void lanes_turn(lanes a[16])
{
    lanes b[16];
    for (size_t i = 0; i < 16; i += 2) {
        b[i] = _mm512_unpacklo_ps(a[i], a[i + 1]);
        b[i + 1] = _mm512_unpackhi_ps(a[i], a[i + 1]);
    }
    for (size_t i = 0; i < 16; i += 4)
        for (size_t k = 0; k < 2; k++) {
            const __m512d low = _mm512_castps_pd(b[i + k]),
                          high = _mm512_castps_pd(b[i + k + 2]);
            a[i + 2 * k] = _mm512_castpd_ps(_mm512_unpacklo_pd(low, high));
            a[i + 2 * k + 1] = _mm512_castpd_ps(_mm512_unpackhi_pd(low, high));
        }
    for (size_t k = 0; k < 4; k++) {
        b[k] = _mm512_shuffle_f32x4(a[k], a[k + 4], 0x88);
        b[k + 4] = _mm512_shuffle_f32x4(a[k], a[k + 4], 0xdd);
        b[k + 8] = _mm512_shuffle_f32x4(a[k + 8], a[k + 12], 0x88);
        b[k + 12] = _mm512_shuffle_f32x4(a[k + 8], a[k + 12], 0xdd);
    }
    for (size_t k = 0; k < 8; k++) {
        a[k] = _mm512_shuffle_f32x4(b[k], b[k + 8], 0x88);
        a[k + 8] = _mm512_shuffle_f32x4(b[k], b[k + 8], 0xdd);
    }
}

#elif QUANT_LANES == 8
#include <immintrin.h>

typedef __m256 lanes;
typedef __m256 lanes_mask;

LANES_OP lanes lanes_load(const float *v)
{
    return _mm256_loadu_ps(v);
}

LANES_OP void lanes_store(float *out, lanes v)
{
    _mm256_storeu_ps(out, v);
}

LANES_OP lanes lanes_all(float v)
{
    return _mm256_set1_ps(v);
}

LANES_OP lanes lanes_fma(lanes a, lanes b, lanes c)
{
    return _mm256_fmadd_ps(a, b, c);
}

LANES_OP lanes lanes_fnma(lanes a, lanes b, lanes c)
{
    return _mm256_fnmadd_ps(a, b, c);
}

LANES_OP lanes lanes_min(lanes a, lanes b)
{
    return _mm256_min_ps(a, b);
}

LANES_OP lanes lanes_max(lanes a, lanes b)
{
    return _mm256_max_ps(a, b);
}

LANES_OP lanes lanes_round(lanes v)
{
    return _mm256_round_ps(v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}

LANES_OP lanes lanes_abs(lanes v)
{
    return _mm256_andnot_ps(_mm256_set1_ps(-0.0f), v);
}

LANES_OP lanes lanes_sqrt(lanes v)
{
    return _mm256_sqrt_ps(v);
}

LANES_OP lanes_mask lanes_less(lanes a, lanes b)
{
    return _mm256_cmp_ps(a, b, _CMP_LT_OQ);
}

LANES_OP lanes lanes_select(lanes_mask mask, lanes yes, lanes no)
{
    return _mm256_blendv_ps(no, yes, mask);
}

LANES_OP lanes lanes_through_half(lanes v)
{
    return _mm256_cvtph_ps(_mm256_cvtps_ph(v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
}

LANES_OP bool lanes_any(lanes_mask mask)
{
    return _mm256_movemask_ps(mask) != 0;
}

/* Permutations look at three bits of the index: the fourth chooses between the halves. */
LANES_OP lanes lanes_lookup(const float table[16], lanes index)
{
    const __m256i i = _mm256_cvtps_epi32(index);
    const __m256 low = _mm256_permutevar8x32_ps(_mm256_loadu_ps(table), i);
    const __m256 high = _mm256_permutevar8x32_ps(_mm256_loadu_ps(table + 8), i);
    return _mm256_blendv_ps(low, high, _mm256_castsi256_ps(_mm256_slli_epi32(i, 28)));
}

LANES_OP void lanes_store_bytes(uint8_t *out, lanes v)
{
    const __m256i words = _mm256_cvtps_epi32(v);
    const __m128i halves =
        _mm_packs_epi32(_mm256_castsi256_si128(words), _mm256_extracti128_si256(words, 1));
    _mm_storel_epi64((__m128i *)(void *)out, _mm_packus_epi16(halves, halves));
}

LANES_OP lanes lanes_load_half(const void *halves)
{
    return _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)halves));
}

LANES_OP void lanes_turn(lanes a[8])
{
    lanes b[8];
    for (size_t i = 0; i < 8; i += 2) {
        b[i] = _mm256_unpacklo_ps(a[i], a[i + 1]);
        b[i + 1] = _mm256_unpackhi_ps(a[i], a[i + 1]);
    }
    for (size_t i = 0; i < 8; i += 4)
        for (size_t k = 0; k < 2; k++) {
            const __m256d low = _mm256_castps_pd(b[i + k]),
                          high = _mm256_castps_pd(b[i + k + 2]);
            a[i + 2 * k] = _mm256_castpd_ps(_mm256_unpacklo_pd(low, high));
            a[i + 2 * k + 1] = _mm256_castpd_ps(_mm256_unpackhi_pd(low, high));
        }
    for (size_t k = 0; k < 4; k++) {
        const lanes low = a[k], high = a[k + 4];
        a[k] = _mm256_permute2f128_ps(low, high, 0x20);
        a[k + 4] = _mm256_permute2f128_ps(low, high, 0x31);
    }
}

#elif QUANT_LANES == 4
#include <arm_neon.h>

typedef float32x4_t lanes;
typedef uint32x4_t lanes_mask;

LANES_OP lanes lanes_load(const float *v)
{
    return vld1q_f32(v);
}

LANES_OP void lanes_store(float *out, lanes v)
{
    vst1q_f32(out, v);
}

LANES_OP lanes lanes_all(float v)
{
    return vdupq_n_f32(v);
}

LANES_OP lanes lanes_fma(lanes a, lanes b, lanes c)
{
    return vfmaq_f32(c, a, b);
}

LANES_OP lanes lanes_fnma(lanes a, lanes b, lanes c)
{
    return vfmsq_f32(c, a, b);
}

LANES_OP lanes_mask lanes_less(lanes a, lanes b)
{
    return vcltq_f32(a, b);
}

LANES_OP lanes lanes_select(lanes_mask mask, lanes yes, lanes no)
{
    return vbslq_f32(mask, yes, no);
}

LANES_OP lanes lanes_min(lanes a, lanes b)
{
    return vbslq_f32(vcltq_f32(a, b), a, b);
}

LANES_OP lanes lanes_max(lanes a, lanes b)
{
    return vbslq_f32(vcgtq_f32(a, b), a, b);
}

LANES_OP lanes lanes_round(lanes v)
{
    return vrndnq_f32(v);
}

LANES_OP lanes lanes_abs(lanes v)
{
    return vabsq_f32(v);
}

LANES_OP lanes lanes_sqrt(lanes v)
{
    return vsqrtq_f32(v);
}

LANES_OP lanes lanes_through_half(lanes v)
{
    return vcvt_f32_f16(vcvt_f16_f32(v));
}

LANES_OP bool lanes_any(lanes_mask mask)
{
    return vmaxvq_u32(mask) != 0;
}

/* The four bytes of each float by the table instruction. */
LANES_OP lanes lanes_lookup(const float table[16], lanes index)
{
    const uint8_t *bytes = (const uint8_t *)(const void *)table;
    const uint8x16x4_t all = {
        {vld1q_u8(bytes), vld1q_u8(bytes + 16), vld1q_u8(bytes + 32), vld1q_u8(bytes + 48)}};
    const uint32x4_t first = vdupq_n_u32(0x03020100), four = vdupq_n_u32(0x04040404);
    const uint32x4_t at = vmlaq_u32(first, vcvtnq_u32_f32(index), four);
    return vreinterpretq_f32_u8(vqtbl4q_u8(all, vreinterpretq_u8_u32(at)));
}

LANES_OP void lanes_store_bytes(uint8_t *out, lanes v)
{
    const uint16x4_t halves = vmovn_u32(vcvtq_u32_f32(v));
    const uint8x8_t bytes = vmovn_u16(vcombine_u16(halves, halves));
    vst1_lane_u32((uint32_t *)(void *)out, vreinterpret_u32_u8(bytes), 0);
}

LANES_OP lanes lanes_load_half(const void *halves)
{
    return vcvt_f32_f16(vreinterpret_f16_u8(vld1_u8(halves)));
}

LANES_OP void lanes_turn(lanes a[4])
{
    const float32x4x2_t low = vzipq_f32(a[0], a[2]), high = vzipq_f32(a[1], a[3]);
    for (size_t k = 0; k < 2; k++) {
        const float32x4x2_t pair = vzipq_f32(low.val[k], high.val[k]);
        a[2 * k] = pair.val[0];
        a[2 * k + 1] = pair.val[1];
    }
}

#else

typedef float lanes;
typedef bool lanes_mask;

LANES_OP lanes lanes_load(const float *v)
{
    return *v;
}

LANES_OP void lanes_store(float *out, lanes v)
{
    *out = v;
}

LANES_OP lanes lanes_all(float v)
{
    return v;
}

LANES_OP lanes lanes_fma(lanes a, lanes b, lanes c)
{
    return fmaf(a, b, c);
}

LANES_OP lanes lanes_fnma(lanes a, lanes b, lanes c)
{
    return fmaf(-a, b, c);
}

LANES_OP lanes lanes_min(lanes a, lanes b)
{
    return a < b ? a : b;
}

LANES_OP lanes lanes_max(lanes a, lanes b)
{
    return a > b ? a : b;
}

/* To the nearest integer, ties to even, for |v| < 2^22: no bit is left for a fraction. */
LANES_OP lanes lanes_round(lanes v)
{
    const float magic = 12582912.0f; /* 1.5 * 2^23 */
    return (v + magic) - magic;
}

LANES_OP lanes lanes_abs(lanes v)
{
    return fabsf(v);
}

LANES_OP lanes lanes_sqrt(lanes v)
{
    return sqrtf(v);
}

LANES_OP lanes_mask lanes_less(lanes a, lanes b)
{
    return a < b;
}

LANES_OP lanes lanes_select(lanes_mask mask, lanes yes, lanes no)
{
    return mask ? yes : no;
}

LANES_OP lanes lanes_through_half(lanes v)
{
    return fp16_to_float(fp16_from_float(v));
}

LANES_OP bool lanes_any(lanes_mask mask)
{
    return mask;
}

LANES_OP lanes lanes_lookup(const float table[16], lanes index)
{
    return table[(int)lanes_round(index)];
}

LANES_OP void lanes_store_bytes(uint8_t *out, lanes v)
{
    *out = (uint8_t)v;
}

LANES_OP lanes lanes_load_half(const void *half)
{
    uint16_t bits;
    memcpy(&bits, half, sizeof bits);
    return fp16_to_float(bits);
}

LANES_OP void lanes_turn(lanes a[1])
{
    (void)a;
}

#endif

/* Turns rows of `stride` floats into columns: to[i * width + l] = from[l * stride + i] for a
 * square of lanes. */
LANES_OP void lanes_transpose(const float *from, size_t stride, float *to, size_t width)
{
    lanes square[QUANT_LANES];
    for (size_t i = 0; i < QUANT_LANES; i++)
        square[i] = lanes_load(from + i * stride);
    lanes_turn(square);
    for (size_t i = 0; i < QUANT_LANES; i++)
        lanes_store(to + i * width, square[i]);
}

LANES_OP lanes lanes_clamp(lanes v, lanes lo, lanes hi)
{
    return lanes_min(lanes_max(v, lo), hi);
}

/* The nearest level lo..hi; NaN gives lo. */
LANES_OP lanes lanes_level(lanes v, lanes lo, lanes hi)
{
    return lanes_round(lanes_clamp(v, lo, hi));
}

/* What half precision makes of v: the largest finite one at most. */
LANES_OP lanes lanes_half(lanes v)
{
    return lanes_through_half(lanes_clamp(v, lanes_all(-65504.0f), lanes_all(65504.0f)));
}

/* The same for a scale: only 0 becomes 0. The smallest number there is, 2^-24, may still carry
 * blocks whose scale would round to nothing. */
LANES_OP lanes lanes_half_scale(lanes v)
{
    const lanes zero = lanes_all(0), half = lanes_half(v);
    lanes least = lanes_select(lanes_less(zero, v), lanes_all(0x1p-24f), zero);
    least = lanes_select(lanes_less(v, zero), lanes_all(-0x1p-24f), least);
    return lanes_select(lanes_less(lanes_abs(half), lanes_all(0x1p-25f)), least, half);
}

/* 1 / v, and 0 for 0. Finite: a subnormal v gets the largest float, so that 0 times it is not
 * NaN. */
LANES_OP lanes lanes_inverse(lanes v)
{
    const lanes zero = lanes_all(0), largest = lanes_all(0x1.fffffep127f);
    const lanes inverse = lanes_clamp(lanes_all(1) / v, zero - largest, largest);
    return lanes_select(lanes_less(zero, lanes_abs(v)), inverse, zero);
}

#endif
