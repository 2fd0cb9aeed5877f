/*
 * Levels that are not all integers of a range: the sixteen of IQ4_NL and IQ4_XS, denser around
 * zero, and the fifteen different values of a 4-bit float (E2M1), doubled.
 *
 * The nearest of them without a search: the parabola
 *
 *     at(v) = centre + slope * v - bend * v * |v|
 *
 * straightens the levels out so far that the border between level k and level k + 1 comes to
 * within 0.12 of k. Rounding at(v) therefore gives the k of the only border that can be near,
 * and one comparison with it the level. Inside quant/kernels/ only.
 */
#ifndef QUANT_KERNELS_CODEBOOK_H
#define QUANT_KERNELS_CODEBOOK_H

#include "quant/kernels/lanes.h"

struct codebook {
    float slope, bend, centre;
    float level[17];  /* ascending; the last is repeated up to the end */
    unsigned shift;   /* (level - level[0]) >> shift differs for all levels: */
    uint8_t code[32]; /* what is stored for them */
};

/* clang-format off */
#define IQ4_LEVELS -127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113
/* clang-format on */

static const struct codebook codebook_iq4 = {
    0.0895f,
    0.00023f,
    7.339f,
    {IQ4_LEVELS, 113},
    3,
    {0, 0, 1, 0,  0,  2, 0,  3, 0,  4, 0, 5,  0, 6, 7, 0,
     8, 9, 0, 10, 11, 0, 12, 0, 13, 0, 0, 14, 0, 0, 15},
};

/* Code 8, a second zero, is not used. */
static const struct codebook codebook_fp4 = {
    1.14f, 0.049f,
    6.5f,  {-12, -8, -6, -4, -3, -2, -1, 0, 1, 2, 3, 4, 6, 8, 12, 12, 12},
    0,     {15, 0, 0, 0, 14, 0, 13, 0, 12, 11, 10, 9, 0, 1, 2, 3, 4, 0, 5, 0, 6, 0, 0, 0, 7},
};

/* The nearest level; of two the upper one. NaN gives the lowest. */
LANES_OP lanes codebook_level(const struct codebook *book, lanes v)
{
    const lanes in = lanes_clamp(v, lanes_all(book->level[0]), lanes_all(book->level[16]));
    const lanes slope =
        lanes_fnma(lanes_all(book->bend), lanes_abs(in), lanes_all(book->slope));
    const lanes at = lanes_fma(slope, in, lanes_all(book->centre));
    const lanes below = lanes_lookup(book->level, at),
                above = lanes_lookup(book->level + 1, at);
    const lanes border = (below + above) * lanes_all(0.5f);
    return lanes_select(lanes_less(in, border), below, above);
}

/* The nearest level of a type: of its codebook, or where it has none of the integers lo..hi. */
LANES_OP lanes level_nearest(const struct codebook *book, lanes v, lanes lo, lanes hi)
{
    return book ? codebook_level(book, v) : lanes_level(v, lo, hi);
}

/* What is stored for levels that are given from 0 on. */
static inline uint8_t codebook_code(const struct codebook *book, uint8_t level)
{
    return book->code[level >> book->shift];
}

#endif
