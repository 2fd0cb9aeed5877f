/* Blocks as levels, scales and mins. */
#include "quant/levels.h"
#include "quant/fp.h"
#include "quant/kernels/k_quants.h"

#define Q_UNPACK(name)                                                                         \
    static void unpack_##name(const void *blocks, struct quant_levels *out, size_t n)

/* 32 nibbles: element i in the low half of byte i, element 16 + i in the high half. */
static inline void nibbles(const uint8_t *restrict qs, uint8_t *restrict level)
{
    for (int i = 0; i < 16; i++) {
        level[i] = qs[i] & 15;
        level[16 + i] = qs[i] >> 4;
    }
}

/* Adds the fifth bits: bit i of the four bytes belongs to element i. */
static inline void fifth_bits(const uint8_t *restrict qh, uint8_t *restrict level)
{
    for (int i = 0; i < 32; i++)
        level[i] |= (uint8_t)((qh[i / 8] >> i % 8 & 1) << 4);
}

Q_UNPACK(q4_0)
{
    const struct block_q4_0 *b = blocks;
    for (size_t i = 0; i < n / 32; i++) {
        out->scale[i] = fp16_to_float(b[i].d);
        nibbles(b[i].qs, out->level + i * 32);
    }
}

Q_UNPACK(q4_1)
{
    const struct block_q4_1 *b = blocks;
    for (size_t i = 0; i < n / 32; i++) {
        out->scale[i] = fp16_to_float(b[i].d);
        out->min[i] = -fp16_to_float(b[i].m);
        nibbles(b[i].qs, out->level + i * 32);
    }
}

Q_UNPACK(q5_0)
{
    const struct block_q5_0 *b = blocks;
    for (size_t i = 0; i < n / 32; i++) {
        out->scale[i] = fp16_to_float(b[i].d);
        nibbles(b[i].qs, out->level + i * 32);
        fifth_bits(b[i].qh, out->level + i * 32);
    }
}

Q_UNPACK(q5_1)
{
    const struct block_q5_1 *b = blocks;
    for (size_t i = 0; i < n / 32; i++) {
        out->scale[i] = fp16_to_float(b[i].d);
        out->min[i] = -fp16_to_float(b[i].m);
        nibbles(b[i].qs, out->level + i * 32);
        fifth_bits(b[i].qh, out->level + i * 32);
    }
}

Q_UNPACK(q8_0)
{
    const struct block_q8_0 *b = blocks;
    for (size_t i = 0; i < n / 32; i++) {
        out->scale[i] = fp16_to_float(b[i].d);
        for (int e = 0; e < 32; e++)
            out->level[i * 32 + (size_t)e] = (uint8_t)(b[i].qs[e] ^ 0x80);
    }
}

static void unpack_k(const struct k_type *type, const void *block, struct quant_levels *out)
{
    struct k_fields fields;
    type->unpack(block, &fields);
    const float d = fp16_to_float(fields.params.d), dmin = fp16_to_float(fields.params.dmin);
    for (int j = 0; j < type->shape.n_sub; j++) {
        out->scale[j] = d * (float)fields.params.scale[j];
        out->min[j] = dmin * (float)fields.params.min[j];
    }
    memcpy(out->level, fields.level, sizeof out->level);
}

#define K_UNPACK(name)                                                                         \
    Q_UNPACK(name)                                                                             \
    {                                                                                          \
        (void)n; /* one super-block */                                                         \
        unpack_k(&k_type_##name, blocks, out);                                                 \
    }
K_UNPACK(q2_K)
K_UNPACK(q3_K)
K_UNPACK(q4_K)
K_UNPACK(q5_K)
K_UNPACK(q6_K)

const struct quant_levels_format LEVEL_NAME(quant_levels)[] = {
    {GGUF_Q4_0, 32, 8, false, unpack_q4_0},
    {GGUF_Q4_1, 32, 0, true, unpack_q4_1},
    {GGUF_Q5_0, 32, 16, false, unpack_q5_0},
    {GGUF_Q5_1, 32, 0, true, unpack_q5_1},
    {GGUF_Q8_0, 32, 128, false, unpack_q8_0},
    {GGUF_Q2_K, 16, 0, true, unpack_q2_K},
    {GGUF_Q3_K, 16, 4, false, unpack_q3_K},
    {GGUF_Q4_K, 32, 0, true, unpack_q4_K},
    {GGUF_Q5_K, 32, 0, true, unpack_q5_K},
    {GGUF_Q6_K, 16, 32, false, unpack_q6_K},
    {.unpack = NULL},
};
