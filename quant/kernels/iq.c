/*
 * Decoders of the IQ types: groups of eight or four elements are entries of a codebook,
 * with a scale for each sub-block and, but for IQ1, a sign for each element.
 */
#include "quant/blocks.h"
#include "quant/kernels/formats.h"
#include "quant/fp.h"
#include "quant/iq_tables.h"

#include <string.h>

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

/* `n` values of a codebook entry, negative where a bit of `signs` is set. */
static void put_signed(float *out, uint64_t entry, size_t n, float scale, uint32_t signs)
{
    for (size_t j = 0; j < n; j++) {
        float value = scale * (float)(entry >> 8 * j & 0xff);
        out[j] = signs >> j & 1 ? -value : value;
    }
}

/* ---- IQ2 -------------------------------------------------------------------------- */

/* 32 elements take two 32-bit words: four indices of 8 bits; four times seven signs and a
 * scale of 4 bits. */
QUANT_DECODER(iq2_xxs)
{
    const struct block_iq2_xxs *b = blocks;
    for (; n >= QK_K; n -= QK_K, b++) {
        float d = fp16_to_float(b->d);
        for (size_t g = 0; g < 8; g++) {
            uint32_t words[2];
            memcpy(words, b->qs + 4 * g, sizeof words);
            float scale = d * (0.5f + (float)(words[1] >> 28)) * 0.25f;
            for (size_t l = 0; l < 4; l++, out += 8)
                put_signed(out, quant_iq2xxs_grid[words[0] >> 8 * l & 0xff], 8, scale,
                           eight_signs(words[1] >> 7 * l & 0x7f));
        }
    }
}

/* 8 elements take 16 bits: an index of 9 and seven signs; 16 elements share a scale. */
QUANT_DECODER(iq2_xs)
{
    const struct block_iq2_xs *b = blocks;
    for (; n >= QK_K; n -= QK_K, b++) {
        float d = fp16_to_float(b->d);
        for (size_t l = 0; l < 32; l++, out += 8) {
            uint32_t nibble = b->scales[l / 4] >> 4 * (l / 2 % 2) & 0xf;
            float scale = d * (0.5f + (float)nibble) * 0.25f;
            put_signed(out, quant_iq2xs_grid[b->qs[l] & 0x1ff], 8, scale,
                       eight_signs(b->qs[l] >> 9));
        }
    }
}

/* 8 elements take an index of 10 bits, its upper two in qh, and a byte of signs. */
QUANT_DECODER(iq2_s)
{
    const struct block_iq2_s *b = blocks;
    for (; n >= QK_K; n -= QK_K, b++) {
        float d = fp16_to_float(b->d);
        for (size_t l = 0; l < 32; l++, out += 8) {
            uint32_t nibble = b->scales[l / 4] >> 4 * (l / 2 % 2) & 0xf;
            float scale = d * (0.5f + (float)nibble) * 0.25f;
            uint32_t high = b->qh[l / 4] >> 2 * (l % 4) & 3;
            put_signed(out, quant_iq2s_grid[b->qs[l] | high << 8], 8, scale, b->signs[l]);
        }
    }
}

/* ---- IQ3 --------------------------------------------------------------------------- */

/* 32 elements take eight indices of 8 bits, and a word of 4 * 7 signs and a scale. */
QUANT_DECODER(iq3_xxs)
{
    const struct block_iq3_xxs *b = blocks;
    for (; n >= QK_K; n -= QK_K, b++) {
        float d = fp16_to_float(b->d);
        for (size_t l = 0; l < 64; l++, out += 4) {
            uint32_t word = load_u32(b->scales_signs + 4 * (l / 8));
            float scale = d * (0.5f + (float)(word >> 28)) * 0.5f;
            uint32_t signs = eight_signs(word >> 7 * (l / 2 % 4) & 0x7f);
            put_signed(out, quant_iq3xxs_grid[b->qs[l]], 4, scale, signs >> 4 * (l % 2));
        }
    }
}

/* 4 elements take an index of 9 bits, its upper one in qh, and half a byte of signs. */
QUANT_DECODER(iq3_s)
{
    const struct block_iq3_s *b = blocks;
    for (; n >= QK_K; n -= QK_K, b++) {
        float d = fp16_to_float(b->d);
        for (size_t l = 0; l < 64; l++, out += 4) {
            uint32_t nibble = b->scales[l / 16] >> 4 * (l / 8 % 2) & 0xf;
            float scale = d * (float)(1 + 2 * nibble);
            uint32_t high = b->qh[l / 8] >> l % 8 & 1;
            put_signed(out, quant_iq3s_grid[b->qs[l] | high << 8], 4, scale,
                       (uint32_t)b->signs[l / 2] >> 4 * (l % 2));
        }
    }
}

/* ---- IQ1: values -1, 0, 1 with a common offset ---------------------------------------- */

#define IQ1_DELTA 0.125f

static void put_shifted(float *out, uint64_t entry, float scale, float delta)
{
    for (size_t j = 0; j < 8; j++)
        out[j] = scale * ((float)(int8_t)(entry >> 8 * j & 0xff) + delta);
}

/* 32 elements share a scale of 3 bits and the sign of the offset. */
QUANT_DECODER(iq1_s)
{
    const struct block_iq1_s *b = blocks;
    for (; n >= QK_K; n -= QK_K, b++) {
        float d = fp16_to_float(b->d);
        for (size_t l = 0; l < 32; l++, out += 8) {
            uint32_t qh = b->qh[l / 4];
            float scale = d * (float)(2 * (qh >> 12 & 7) + 1);
            uint32_t high = qh >> 3 * (l % 4) & 7;
            put_shifted(out, quant_iq1s_grid[b->qs[l] | high << 8], scale,
                        qh & 0x8000 ? -IQ1_DELTA : IQ1_DELTA);
        }
    }
}

/* There is no field for d: its 16 bits are the upper nibbles of the four scale words,
 * whose other 12 bits hold four scales of 3 bits for 16 elements each. */
QUANT_DECODER(iq1_m)
{
    const struct block_iq1_m *b = blocks;
    for (; n >= QK_K; n -= QK_K, b++) {
        uint16_t bits = 0;
        for (size_t i = 0; i < 4; i++)
            bits |= (uint16_t)(b->scales[i] >> 12 << 4 * i);
        float d = fp16_to_float(bits);
        for (size_t l = 0; l < 32; l++, out += 8) {
            uint32_t small = b->scales[l / 8] >> 3 * (l / 2 % 4) & 7;
            uint32_t qh = b->qh[l / 2] >> 4 * (l % 2) & 0xf;
            put_shifted(out, quant_iq1s_grid[b->qs[l] | (qh & 7) << 8],
                        d * (float)(2 * small + 1), qh & 8 ? -IQ1_DELTA : IQ1_DELTA);
        }
    }
}
