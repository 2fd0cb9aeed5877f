/*
 * The search for the scale (and offset) of a block of floats whose levels are integers.
 *
 * With the parameters given, rounding to the nearest level is optimal, so only parameters
 * are searched: every candidate is rounded once and improved by weighted least squares.
 * The sums keep residuals and not squares of the input, as the difference of two large
 * sums would lose the digits that tell good candidates apart. All sums run over the
 * elements in order, in float, so that neither candidates nor blocks side by side in the
 * lanes of a vector change a bit.
 *
 * Inside quant/ only. Inputs: |x| <= SEARCH_LIMIT (see search_limit), 0 < w <= 1.
 */
#ifndef QUANT_SEARCH_H
#define QUANT_SEARCH_H

#include "quant/kernels/level.h"
#include "quant/fp.h"

#include <float.h>
#include <math.h>
#include <stddef.h>

#define search_normalise    LEVEL_NAME(search_normalise)
#define search_mean_square  LEVEL_NAME(search_mean_square)
#define search_error        LEVEL_NAME(search_error)
#define search_errors       LEVEL_NAME(search_errors)
#define search_scale        LEVEL_NAME(search_scale)
#define search_scale_offset LEVEL_NAME(search_scale_offset)

/* Larger than what any block format with a half-precision scale can express, and small
 * enough for squares and their sums in float. */
#define SEARCH_LIMIT 0x1p30f

/* The input clipped to +-SEARCH_LIMIT; a NaN becomes -SEARCH_LIMIT. */
static inline float search_limit(float x)
{
    if (!(x > -SEARCH_LIMIT))
        return -SEARCH_LIMIT;
    return x < SEARCH_LIMIT ? x : SEARCH_LIMIT;
}

/* The level nearest to v, ties to even, as a float; NaN gives `lo`. |lo|, |hi| <= 2^21. */
static inline float search_level(float v, float lo, float hi)
{
    const float magic = 12582912.0f; /* 1.5 * 2^23: no bit is left for a fraction */
    if (!(v > lo))
        return lo;
    if (!(v < hi))
        return hi;
    return (v + magic) - magic;
}

/* 1 / scale, 0 for 0. A subnormal scale, whose inverse may be infinite, gets the largest
 * finite one, so that the level of 0 is 0 and not NaN. */
static inline float search_inverse(float scale)
{
    float inverse = scale != 0 ? 1 / scale : 0;
    inverse = inverse < FLT_MAX ? inverse : FLT_MAX;
    return inverse > -FLT_MAX ? inverse : -FLT_MAX;
}

/* The element of largest magnitude, with its sign; the first of several. */
static inline float search_extreme(const float *x, size_t n)
{
    float extreme = 0;
    for (size_t i = 0; i < n; i++) {
        if (fabsf(x[i]) > fabsf(extreme))
            extreme = x[i];
    }
    return extreme;
}

/* A scale that can be stored: half precision of v, the largest finite one at most. */
static inline uint16_t search_half(float v)
{
    if (v > 65504.0f)
        v = 65504.0f;
    if (v < -65504.0f)
        v = -65504.0f;
    return fp16_from_float(v);
}

/* Brings weights into (0, 1]. The floor makes a part whose importance is all zero behave
 * as one of equal weights, too light to disturb the others; all zero is all equal. The
 * largest weight, as it was, is returned. */
float search_normalise(float *weights, size_t n);

/* The mean of x^2. */
float search_mean_square(const float *x, size_t n);

/* A block: n elements, their weights, and the levels lo..hi that encode them. */
struct search_block {
    const float *x;
    const float *w;
    size_t n;
    float lo, hi;
};

/* y = scale * level + offset, and the weighted squared error of that. */
struct search_line {
    float scale, offset, error;
};

/* The error when every element takes its nearest level. */
float search_error(const struct search_block *block, float scale, float offset);

/* The same for a number of candidates that is a multiple of SEARCH_LANES, at once. */
#define SEARCH_LANES 4
void search_errors(const struct search_block *block, const float *scale, const float *offset,
                   float *error, size_t n);

/* The best scale of either sign, the offset being 0. lo < 0 < hi. */
struct search_line search_scale(const struct search_block *block);

/* The best scale > 0 and offset <= offset_max (INFINITY: any). lo = 0. A block without a
 * range has scale 0. */
struct search_line search_scale_offset(const struct search_block *block, float offset_max);

#endif
