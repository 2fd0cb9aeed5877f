/*
 * Decoders of the IQ types: groups of eight or four elements are entries of a codebook,
 * with a scale for each sub-block and, but for IQ1, a sign for each element.
 */
#include "quant/blocks.h"
#include "quant/kernels/bytes.h"
#include "quant/kernels/formats.h"
#include "quant/fp.h"
#include "quant/iq_tables.h"

#include <string.h>

/* A unit is sixteen elements: two entries of eight, or four of four. */
#define UNITS (QK_K / BYTES)

static uint32_t load_u32(const uint8_t *p)
{
    uint32_t v;
    memcpy(&v, p, sizeof v);
    return v;
}

/* Seven stored signs; the eighth makes their number even. */
static uint8_t eight_signs(uint32_t seven)
{
    uint32_t parity = seven ^ seven >> 4;
    parity ^= parity >> 2;
    parity ^= parity >> 1;
    return (uint8_t)(seven | (parity & 1) << 7);
}

/* The signs of two entries of eight. */
static uint32_t sixteen_signs(uint32_t first_seven, uint32_t second_seven)
{
    return eight_signs(first_seven) | (uint32_t)eight_signs(second_seven) << 8;
}

static inline bytes16 pair_of(uint64_t first, uint64_t second)
{
    const words2 v = {first, second};
    return (bytes16)v;
}

/* A unit, negative where a bit of `signs` is set. */
static inline void put_signed(bytes16 unit, uint32_t signs, float scale, float *out)
{
    put_scaled(bytes_negate(unit, bytes_of_bits(signs)), scale, out);
}

/* Scales of 4 bits, two a byte. */
static inline float nibble_at(const uint8_t *scales, size_t i)
{
    return (float)(scales[i / 2] >> 4 * (i % 2) & 0xf);
}

/* ---- IQ2 -------------------------------------------------------------------------- */

/* 32 elements take two 32-bit words: four indices of 8 bits; four times seven signs and a
 * scale of 4 bits. */
QUANT_DECODER(iq2_xxs)
{
    const struct block_iq2_xxs *b = blocks;
    for (; n >= QK_K; n -= QK_K, b++) {
        const float d = fp16_to_float(b->d);
        for (size_t u = 0; u < UNITS; u++, out += BYTES) {
            const uint16_t *group = b->qs + u / 2 * 4;
            const uint32_t word = group[2] | (uint32_t)group[3] << 16;
            const uint32_t index = group[u % 2], signs = word >> 14 * (u % 2);
            const float scale = d * (0.5f + (float)(word >> 28)) * 0.25f;
            put_signed(pair_of(quant_iq2xxs_grid[index & 0xff], quant_iq2xxs_grid[index >> 8]),
                       sixteen_signs(signs & 0x7f, signs >> 7 & 0x7f), scale, out);
        }
    }
}

/* 8 elements take 16 bits: an index of 9 and seven signs; 16 elements share a scale. */
QUANT_DECODER(iq2_xs)
{
    const struct block_iq2_xs *b = blocks;
    for (; n >= QK_K; n -= QK_K, b++) {
        const float d = fp16_to_float(b->d);
        for (size_t u = 0; u < UNITS; u++, out += BYTES) {
            const uint32_t first = b->qs[2 * u], second = b->qs[2 * u + 1];
            const float scale = d * (0.5f + nibble_at(b->scales, u)) * 0.25f;
            put_signed(
                pair_of(quant_iq2xs_grid[first & 0x1ff], quant_iq2xs_grid[second & 0x1ff]),
                sixteen_signs(first >> 9, second >> 9), scale, out);
        }
    }
}

/* 8 elements take an index of 10 bits, its upper two in qh, and a byte of signs. */
QUANT_DECODER(iq2_s)
{
    const struct block_iq2_s *b = blocks;
    for (; n >= QK_K; n -= QK_K, b++) {
        const float d = fp16_to_float(b->d);
        for (size_t u = 0; u < UNITS; u++, out += BYTES) {
            const uint32_t high = (uint32_t)b->qh[u / 2] >> 4 * (u % 2);
            const uint32_t first = b->qs[2 * u] | (high & 3) << 8;
            const uint32_t second = b->qs[2 * u + 1] | (high >> 2 & 3) << 8;
            const float scale = d * (0.5f + nibble_at(b->scales, u)) * 0.25f;
            put_signed(pair_of(quant_iq2s_grid[first], quant_iq2s_grid[second]),
                       b->signs[2 * u] | (uint32_t)b->signs[2 * u + 1] << 8, scale, out);
        }
    }
}

/* ---- IQ3 --------------------------------------------------------------------------- */

/* 32 elements take eight indices of 8 bits, and a word of 4 * 7 signs and a scale. */
QUANT_DECODER(iq3_xxs)
{
    const struct block_iq3_xxs *b = blocks;
    for (; n >= QK_K; n -= QK_K, b++) {
        const float d = fp16_to_float(b->d);
        for (size_t u = 0; u < UNITS; u++, out += BYTES) {
            const uint8_t *index = b->qs + 4 * u;
            const uint32_t word = load_u32(b->scales_signs + u / 2 * 4);
            const uint32_t signs = word >> 14 * (u % 2);
            const float scale = d * (0.5f + (float)(word >> 28)) * 0.5f;
            const words4 unit = {quant_iq3xxs_grid[index[0]], quant_iq3xxs_grid[index[1]],
                                 quant_iq3xxs_grid[index[2]], quant_iq3xxs_grid[index[3]]};
            put_signed((bytes16)unit, sixteen_signs(signs & 0x7f, signs >> 7 & 0x7f), scale,
                       out);
        }
    }
}

/* 4 elements take an index of 9 bits, its upper one in qh, and half a byte of signs. */
static inline bytes16 unit_of_iq3_s(const uint8_t qs[4], uint32_t high)
{
    const words4 unit = {
        quant_iq3s_grid[qs[0] | (high & 1) << 8], quant_iq3s_grid[qs[1] | (high & 2) << 7],
        quant_iq3s_grid[qs[2] | (high & 4) << 6], quant_iq3s_grid[qs[3] | (high & 8) << 5]};
    return (bytes16)unit;
}

QUANT_DECODER(iq3_s)
{
    const struct block_iq3_s *b = blocks;
    for (; n >= QK_K; n -= QK_K, b++) {
        const float d = fp16_to_float(b->d);
        for (size_t u = 0; u < UNITS; u++, out += BYTES) {
            const uint32_t high = (uint32_t)b->qh[u / 2] >> 4 * (u % 2);
            const uint32_t signs = b->signs[2 * u] | (uint32_t)b->signs[2 * u + 1] << 8;
            const float scale = d * (1 + 2 * nibble_at(b->scales, u / 2));
            put_signed(unit_of_iq3_s(b->qs + 4 * u, high), signs, scale, out);
        }
    }
}

/* ---- IQ1: values -1, 0, 1 with a common offset of 1/8 or -1/8 -------------------------- */

/* Eights of the value: 8 * v + 1 or 8 * v - 1. Exact, as is dividing the scale by 8. */
static inline uint64_t eights_sign(bool negative)
{
    return negative ? 0xffffffffffffffff : 0x0101010101010101;
}

static inline void put_shifted(bytes16 unit, bytes16 shift, float scale, float *out)
{
    unit += unit;
    unit += unit;
    unit += unit;
    put_scaled(unit + shift, scale * 0.125f, out);
}

/* 32 elements share a scale of 3 bits and the sign of the offset. */
QUANT_DECODER(iq1_s)
{
    const struct block_iq1_s *b = blocks;
    for (; n >= QK_K; n -= QK_K, b++) {
        const float d = fp16_to_float(b->d);
        for (size_t u = 0; u < UNITS; u++, out += BYTES) {
            const uint32_t qh = b->qh[u / 2], high = qh >> 6 * (u % 2);
            const uint64_t shift = eights_sign(qh & 0x8000);
            put_shifted(pair_of(quant_iq1s_grid[b->qs[2 * u] | (high & 7) << 8],
                                quant_iq1s_grid[b->qs[2 * u + 1] | (high >> 3 & 7) << 8]),
                        pair_of(shift, shift), d * (float)(2 * (qh >> 12 & 7) + 1), out);
        }
    }
}

/* There is no field for d: its 16 bits are the upper nibbles of the four scale words,
 * whose other 12 bits hold four scales of 3 bits for 16 elements each. */
static float iq1_m_scale(const struct block_iq1_m *b)
{
    uint16_t bits = 0;
    for (size_t i = 0; i < 4; i++)
        bits |= (uint16_t)(b->scales[i] >> 12 << 4 * i);
    return fp16_to_float(bits);
}

QUANT_DECODER(iq1_m)
{
    const struct block_iq1_m *b = blocks;
    for (; n >= QK_K; n -= QK_K, b++) {
        const float d = iq1_m_scale(b);
        for (size_t u = 0; u < UNITS; u++, out += BYTES) {
            const uint32_t qh = b->qh[u], small = b->scales[u / 4] >> 3 * (u % 4) & 7;
            put_shifted(pair_of(quant_iq1s_grid[b->qs[2 * u] | (qh & 7) << 8],
                                quant_iq1s_grid[b->qs[2 * u + 1] | (qh >> 4 & 7) << 8]),
                        pair_of(eights_sign(qh & 8), eights_sign(qh & 0x80)),
                        d * (float)(2 * small + 1), out);
        }
    }
}
