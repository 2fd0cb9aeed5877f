/*
 * Blocks as small integers with scales, for products in integer arithmetic. Every type here
 * fits one form, over sub-blocks of 16 or 32 elements:
 *
 *     value = scale * (level - offset) - min        0 <= level <= 255
 */
#ifndef QUANT_LEVELS_H
#define QUANT_LEVELS_H

#include "quant/quant.h"

#define QUANT_LEVELS_MAX 256 /* elements that are unpacked at once, at most */

struct quant_levels {
    uint8_t level[QUANT_LEVELS_MAX];
    float scale[16], min[16]; /* of the sub-blocks; min stays 0 where has_min is false */
};

/* Unpacks `n` elements, a whole number of blocks, at most QUANT_LEVELS_MAX. */
typedef void (*quant_levels_fn)(const void *blocks, struct quant_levels *out, size_t n);

struct quant_levels_format {
    uint32_t type;
    unsigned sub; /* elements of a sub-block: 16 or 32 */
    int offset;
    bool has_min;
    quant_levels_fn unpack;
};

/* The row of a type with the kernels of a level of the processor; NULL where the type has no
 * such form, and where this machine cannot run the level. */
const struct quant_levels_format *quant_levels_at(uint32_t type, enum quant_cpu cpu);

#endif
