/* Decoders of IQ4_NL and IQ4_XS, and the packing of the latter. The encoders are in
 * basic_encode.c and k_scale_encode.c. */
#include "quant/blocks.h"
#include "quant/kernels/bytes.h"
#include "quant/kernels/formats.h"
#include "quant/kernels/k_quants.h"
#include "quant/fp.h"

#define SUB 32 /* elements of a block of IQ4_NL and of a sub-block of IQ4_XS */

static const int8_t levels[BYTES] = {IQ4_LEVELS};

static inline void decode_sub(const uint8_t qs[16], float scale, float *out)
{
    const bytes16 table = bytes_load(levels), codes = bytes_load(qs);
    put_scaled(bytes_lookup(table, codes & 0xf), scale, out);
    put_scaled(bytes_lookup(table, bytes_field(codes, 4, 0xf)), scale, out + BYTES);
}

QUANT_DECODER(iq4_nl)
{
    const struct block_iq4_nl *b = blocks;
    for (; n >= SUB; n -= SUB, b++, out += SUB)
        decode_sub(b->qs, fp16_to_float(b->d), out);
}

#define N_SUB    8
#define SCALE_LO (-32)

static int scale_at(const struct block_iq4_xs *b, size_t j)
{
    int low = b->scales_l[j / 2] >> 4 * (j % 2) & 0xf;
    int high = b->scales_h >> 2 * j & 3;
    return (low | high << 4) + SCALE_LO;
}

QUANT_DECODER(iq4_xs)
{
    const struct block_iq4_xs *b = blocks;
    for (; n >= QK_K; n -= QK_K, b++) {
        float d = fp16_to_float(b->d);
        for (size_t j = 0; j < N_SUB; j++, out += SUB)
            decode_sub(b->qs + 16 * j, d * (float)scale_at(b, j), out);
    }
}

static void pack_iq4_xs(const struct k_fields *fields, void *block)
{
    struct block_iq4_xs *b = block;
    *b = (struct block_iq4_xs){.d = fields->params.d};
    for (size_t j = 0; j < N_SUB; j++) {
        const unsigned stored = (unsigned)(fields->params.scale[j] - SCALE_LO);
        b->scales_l[j / 2] |= (uint8_t)((stored & 0xf) << 4 * (j % 2));
        b->scales_h |= (uint16_t)((stored >> 4) << 2 * j);
    }
    for (size_t e = 0; e < QK_K; e++) {
        const unsigned code = codebook_code(&codebook_iq4, fields->level[e]);
        b->qs[e / SUB * 16 + e % 16] |= (uint8_t)(code << e % SUB / 16 * 4);
    }
}

const struct k_type k_type_iq4_xs = {K_SHAPE_iq4_xs, sizeof(struct block_iq4_xs), NULL,
                                     pack_iq4_xs};
