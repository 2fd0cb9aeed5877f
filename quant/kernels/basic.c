/*
 * The types of 32-element blocks with a scale, or a scale and an offset, and the two of one
 * and two bits. In the 4- and 5-bit types element j of the first half shares a byte with
 * element j + 16.
 */
#include "quant/blocks.h"
#include "quant/kernels/formats.h"
#include "quant/fp.h"

#include <string.h>

#define QK 32 /* elements of a block */

/* ---- Levels and bits ----------------------------------------------------------------- */

static void unpack_nibbles(const uint8_t qs[16], uint8_t level[QK])
{
    for (size_t j = 0; j < QK / 2; j++) {
        level[j] = qs[j] & 0xf;
        level[j + QK / 2] = qs[j] >> 4;
    }
}

/* The fifth bits: bit j of the little-endian word qh is that of element j. */
static void unpack_five_bits(const uint8_t qs[16], const uint8_t qh[4], uint8_t level[QK])
{
    unpack_nibbles(qs, level);
    for (size_t j = 0; j < QK; j++)
        level[j] |= (uint8_t)((qh[j / 8] >> j % 8 & 1) << 4);
}

/* ---- One scale: y = d * (level - offset) ---------------------------------------------- */

static void put_scaled(const uint8_t level[QK], int zero, uint16_t scale, float *out)
{
    float d = fp16_to_float(scale);
    for (size_t j = 0; j < QK; j++)
        out[j] = (float)(level[j] - zero) * d;
}

static void put_signed(const int8_t qs[QK], uint16_t scale, float *out)
{
    float d = fp16_to_float(scale);
    for (size_t j = 0; j < QK; j++)
        out[j] = (float)qs[j] * d;
}

QUANT_DECODER(q4_0)
{
    const struct block_q4_0 *b = blocks;
    uint8_t level[QK];
    for (; n >= QK; n -= QK, b++, out += QK) {
        unpack_nibbles(b->qs, level);
        put_scaled(level, 8, b->d, out);
    }
}

QUANT_DECODER(q5_0)
{
    const struct block_q5_0 *b = blocks;
    uint8_t level[QK];
    for (; n >= QK; n -= QK, b++, out += QK) {
        unpack_five_bits(b->qs, b->qh, level);
        put_scaled(level, 16, b->d, out);
    }
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

static void put_line(const uint8_t level[QK], uint16_t scale, uint16_t offset, float *out)
{
    float d = fp16_to_float(scale), m = fp16_to_float(offset);
    for (size_t j = 0; j < QK; j++)
        out[j] = (float)level[j] * d + m;
}

QUANT_DECODER(q4_1)
{
    const struct block_q4_1 *b = blocks;
    uint8_t level[QK];
    for (; n >= QK; n -= QK, b++, out += QK) {
        unpack_nibbles(b->qs, level);
        put_line(level, b->d, b->m, out);
    }
}

QUANT_DECODER(q5_1)
{
    const struct block_q5_1 *b = blocks;
    uint8_t level[QK];
    for (; n >= QK; n -= QK, b++, out += QK) {
        unpack_five_bits(b->qs, b->qh, level);
        put_line(level, b->d, b->m, out);
    }
}

/* ---- One and two bits ----------------------------------------------------------------- */

/* 128 elements: bit 1 is d, bit 0 is -d. */
QUANT_DECODER(q1_0)
{
    const struct block_q1_0 *b = blocks;
    for (; n >= 128; n -= 128, b++, out += 128) {
        float d = fp16_to_float(b->d);
        for (size_t j = 0; j < 128; j++)
            out[j] = b->qs[j / 8] >> j % 8 & 1 ? d : -d;
    }
}

/* 64 elements of two bits: -d, 0, d, 2d. */
QUANT_DECODER(q2_0)
{
    const struct block_q2_0 *b = blocks;
    for (; n >= 64; n -= 64, b++, out += 64) {
        float d = fp16_to_float(b->d);
        for (size_t j = 0; j < 64; j++)
            out[j] = (float)((b->qs[j / 4] >> 2 * (j % 4) & 3) - 1) * d;
    }
}
