/* The bits of the types of 32-element blocks, for their encoders in quant/kernels/. */
#ifndef QUANT_KERNELS_BASIC_PACK_H
#define QUANT_KERNELS_BASIC_PACK_H

#include "quant/blocks.h"
#include "quant/kernels/bytes.h"
#include "quant/kernels/codebook.h"

#define QK 32 /* elements of a block */

/* Element j of the first half shares a byte with element j + 16. */
static inline void pack_nibbles(const uint8_t level[QK], uint8_t qs[16])
{
    for (size_t j = 0; j < QK / 2; j++)
        qs[j] = (uint8_t)((level[j] & 0xf) | level[j + QK / 2] << 4);
}

/* The fifth bits: bit j of the little-endian word qh is that of element j. */
static inline void pack_five_bits(const uint8_t level[QK], uint8_t qs[16], uint8_t qh[4])
{
    pack_nibbles(level, qs);
    for (size_t k = 0; k < QK / BYTES; k++) {
        const uint32_t bits = bytes_high_bits(bytes_raise(bytes_load(level + k * BYTES), 3));
        qh[2 * k] = (uint8_t)bits;
        qh[2 * k + 1] = (uint8_t)(bits >> 8);
    }
}

/* One block outside of its packing; levels from 0 on. */
struct fields {
    uint16_t d, m;
    uint8_t level[QK];
};

static inline void pack_q4_0(const struct fields *f, void *block)
{
    struct block_q4_0 *b = block;
    b->d = f->d;
    pack_nibbles(f->level, b->qs);
}

static inline void pack_q4_1(const struct fields *f, void *block)
{
    struct block_q4_1 *b = block;
    b->d = f->d;
    b->m = f->m;
    pack_nibbles(f->level, b->qs);
}

static inline void pack_q5_0(const struct fields *f, void *block)
{
    struct block_q5_0 *b = block;
    b->d = f->d;
    pack_five_bits(f->level, b->qs, b->qh);
}

static inline void pack_q5_1(const struct fields *f, void *block)
{
    struct block_q5_1 *b = block;
    b->d = f->d;
    b->m = f->m;
    pack_five_bits(f->level, b->qs, b->qh);
}

static inline void pack_q8_0(const struct fields *f, void *block)
{
    struct block_q8_0 *b = block;
    b->d = f->d;
    for (size_t j = 0; j < QK; j++)
        b->qs[j] = (int8_t)(f->level[j] - 127);
}

static inline void pack_iq4_nl(const struct fields *f, void *block)
{
    struct block_iq4_nl *b = block;
    uint8_t code[QK];
    for (size_t j = 0; j < QK; j++)
        code[j] = codebook_code(&codebook_iq4, f->level[j]);
    b->d = f->d;
    pack_nibbles(code, b->qs);
}

#endif
