/*
 * The types of 32-element blocks with a scale, or a scale and an offset, and the two of one
 * and two bits. In the 4- and 5-bit types element j of the first half shares a byte with
 * element j + 16.
 */
#include "quant/blocks.h"
#include "quant/kernels/bytes.h"
#include "quant/kernels/formats.h"
#include "quant/fp.h"

#define QK 32 /* elements of a block */

/* ---- Levels and bits: 32 levels in two vectors --------------------------------------- */

struct levels {
    bytes16 half[2];
};

static inline struct levels unpack_nibbles(const uint8_t qs[16])
{
    bytes16 v = bytes_load(qs);
    return (struct levels){{v & 0xf, bytes_field(v, 4, 0xf)}};
}

/* The fifth bits: bit j of the little-endian word qh is that of element j. */
static inline struct levels unpack_five_bits(const uint8_t qs[16], const uint8_t qh[4])
{
    struct levels levels = unpack_nibbles(qs);
    for (size_t i = 0; i < 2; i++)
        levels.half[i] |= bytes_of_bits(qh[2 * i] | (uint32_t)qh[2 * i + 1] << 8) & 0x10;
    return levels;
}

/* ---- One scale: y = d * (level - zero) ------------------------------------------------- */

static inline void put_block(struct levels levels, uint8_t zero, uint16_t scale, float *out)
{
    float d = fp16_to_float(scale);
    put_scaled(levels.half[0] - zero, d, out);
    put_scaled(levels.half[1] - zero, d, out + BYTES);
}

QUANT_DECODER(q4_0)
{
    const struct block_q4_0 *b = blocks;
    for (; n >= QK; n -= QK, b++, out += QK)
        put_block(unpack_nibbles(b->qs), 8, b->d, out);
}

QUANT_DECODER(q5_0)
{
    const struct block_q5_0 *b = blocks;
    for (; n >= QK; n -= QK, b++, out += QK)
        put_block(unpack_five_bits(b->qs, b->qh), 16, b->d, out);
}

static inline void put_signed(const int8_t qs[QK], uint16_t scale, float *out)
{
    put_block((struct levels){{bytes_load(qs), bytes_load(qs + BYTES)}}, 0, scale, out);
}

QUANT_DECODER(q8_0)
{
    const struct block_q8_0 *b = blocks;
    for (; n >= QK; n -= QK, b++, out += QK)
        put_signed(b->qs, b->d, out);
}

QUANT_DECODER(q8_1)
{
    const struct block_q8_1 *b = blocks;
    for (; n >= QK; n -= QK, b++, out += QK)
        put_signed(b->qs, b->d, out);
}

/* ---- Scale and offset: y = d * level + m ---------------------------------------------- */

static inline void put_lines(struct levels levels, uint16_t scale, uint16_t offset, float *out)
{
    float d = fp16_to_float(scale), m = fp16_to_float(offset);
    put_line(levels.half[0], d, m, out);
    put_line(levels.half[1], d, m, out + BYTES);
}

QUANT_DECODER(q4_1)
{
    const struct block_q4_1 *b = blocks;
    for (; n >= QK; n -= QK, b++, out += QK)
        put_lines(unpack_nibbles(b->qs), b->d, b->m, out);
}

QUANT_DECODER(q5_1)
{
    const struct block_q5_1 *b = blocks;
    for (; n >= QK; n -= QK, b++, out += QK)
        put_lines(unpack_five_bits(b->qs, b->qh), b->d, b->m, out);
}

/* ---- One and two bits ----------------------------------------------------------------- */

/* 128 elements: bit 1 is d, bit 0 is -d. */
QUANT_DECODER(q1_0)
{
    const struct block_q1_0 *b = blocks;
    for (; n >= 128; n -= 128, b++) {
        float d = fp16_to_float(b->d);
        for (size_t i = 0; i < sizeof b->qs; i += 2, out += BYTES) {
            bytes16 set = bytes_of_bits(b->qs[i] | (uint32_t)b->qs[i + 1] << 8);
            put_scaled((set & 2) - 1, d, out);
        }
    }
}

/* 64 elements of two bits: -d, 0, d, 2d. */
QUANT_DECODER(q2_0)
{
    const struct block_q2_0 *b = blocks;
    for (; n >= 64; n -= 64, b++) {
        float d = fp16_to_float(b->d);
        for (size_t i = 0; i < sizeof b->qs; i += 4, out += BYTES)
            put_scaled(bytes_of_pairs(b->qs + i) - 1, d, out);
    }
}
