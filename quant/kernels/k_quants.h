/*
 * The K-quants, Q2_K to Q6_K: super-blocks of 256 elements in sub-blocks of 16 or 32 with
 * integer scales (and mins) of their own. Inside quant/ only.
 *
 * One model covers all five:  y = (d * scale) * (level + level_lo) - (dmin * min)
 * where types without mins have min_hi = 0 and dmin = 0. IQ4_XS is another one of its kind,
 * with levels from a codebook.
 */
#ifndef QUANT_K_QUANTS_H
#define QUANT_K_QUANTS_H

#include "quant/kernels/codebook.h"
#include "quant/kernels/level.h"
#include "quant/blocks.h"

#include <stddef.h>

#define k_type_q2_K   LEVEL_NAME(k_type_q2_K)
#define k_type_q3_K   LEVEL_NAME(k_type_q3_K)
#define k_type_q4_K   LEVEL_NAME(k_type_q4_K)
#define k_type_q5_K   LEVEL_NAME(k_type_q5_K)
#define k_type_q6_K   LEVEL_NAME(k_type_q6_K)
#define k_type_iq4_xs LEVEL_NAME(k_type_iq4_xs)

#define K_SUB_MAX 16 /* sub-blocks of a super-block, at most */

/* What the fields of a type can hold, and what its encoder minimises. */
struct k_shape {
    int n_sub;              /* sub-blocks */
    int level_lo, level_hi; /* after the bias */
    int scale_lo, scale_hi;
    int min_hi;
    /* With importance the search weighs by importance * sqrt(sigma_factor * mean of x^2
     * + x^2); 0: by importance alone. */
    int sigma_factor;
    /* Without, by (s * sigma)^power + |x|^power, sigma being that of the sub-block; by
     * nothing where power is 0. */
    int power;
    float s;
    const struct codebook *codebook; /* of the levels; NULL: all integers lo..hi */
};

/* clang-format off */
/*                    sub-blocks  levels   scales     mins  sigma  power, s, codebook */
#define K_SHAPE_q2_K {16,         0, 3,    0, 15,     15,   1,     1, 0.43f, NULL}
#define K_SHAPE_q3_K {16,         -4, 3,   -32, 31,   0,    2,     2, 1.4f, NULL}
#define K_SHAPE_q4_K {8,          0, 15,   0, 63,     63,   2,     1, 1, NULL}
#define K_SHAPE_q5_K {8,          0, 31,   0, 63,     63,   2,     1, 1, NULL}
#define K_SHAPE_q6_K {16,         -32, 31, -128, 127, 0,    0,     2, 0.8f, NULL}
#define K_SHAPE_iq4_xs {8,        -127, 113, -32, 31, 0,   0,     0, 0, &codebook_iq4}
/* clang-format on */

/* The parameters of a super-block: half-precision bits and integers. */
struct k_params {
    uint16_t d, dmin;
    int8_t scale[K_SUB_MAX];
    uint8_t min[K_SUB_MAX];
};

/* A super-block outside of its packing. */
struct k_fields {
    struct k_params params;
    uint8_t level[QK_K]; /* 0..level_hi - level_lo */
};

/* One row per type: its shape and its packing. */
struct k_type {
    struct k_shape shape;
    size_t block_bytes;
    void (*unpack)(const void *block, struct k_fields *fields); /* NULL for IQ4_XS */
    void (*pack)(const struct k_fields *fields, void *block);
};

extern const struct k_type k_type_q2_K, k_type_q3_K, k_type_q4_K, k_type_q5_K, k_type_q6_K,
    k_type_iq4_xs;

#endif
