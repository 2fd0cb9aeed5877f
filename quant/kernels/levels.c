/* Blocks as levels, scales and mins. */
#include "quant/levels.h"
#include "quant/fp.h"
#include "quant/kernels/bytes.h"
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

/* ---- Q4_K, Q5_K and Q6_K: the ones in most files, in loops that become vectors. Their
 * packing is drawn in k_quants.c. ---- */

/* Four fields of 6 bits, one a byte: low 4 bits and high 2 bits in the same bytes of two
 * words. */
static inline uint32_t six_bits(uint32_t low, uint32_t high)
{
    return (low & 0x0f0f0f0f) | (high & 0x03030303) << 4;
}

/* Scales and mins of the 8 sub-blocks. */
static inline void scales_and_mins(const uint8_t packed[12], float d, float dmin,
                                   struct quant_levels *out)
{
    uint32_t words[3];
    memcpy(words, packed, sizeof words);
    words4 scales = {words[0] & 0x3f3f3f3f, six_bits(words[2], words[0] >> 6)};
    words4 mins = {words[1] & 0x3f3f3f3f, six_bits(words[2] >> 4, words[1] >> 6)};
    put_scaled((bytes16)scales, d, out->scale); /* 8, and zeros */
    put_scaled((bytes16)mins, dmin, out->min);
}

/* Eight levels at once, in any order of bytes. */
static inline uint64_t eight(const uint8_t *bytes)
{
    uint64_t word;
    memcpy(&word, bytes, sizeof word);
    return word;
}

static inline void put_eight(uint8_t *level, uint64_t word)
{
    memcpy(level, &word, sizeof word);
}

#define EACH(byte) (0x0101010101010101u * (byte))

/* 64 nibbles in 32 lanes. */
static inline void nibbles_32(const uint8_t *restrict qs, uint8_t *restrict level)
{
    for (int i = 0; i < 32; i += 8) {
        put_eight(level + i, eight(qs + i) & EACH(15));
        put_eight(level + 32 + i, eight(qs + i) >> 4 & EACH(15));
    }
}

Q_UNPACK(q4_K)
{
    const struct block_q4_K *b = blocks;
    (void)n; /* one super-block */
    scales_and_mins(b->scales, fp16_to_float(b->d), fp16_to_float(b->dmin), out);
    for (int g = 0; g < 4; g++)
        nibbles_32(b->qs + g * 32, out->level + g * 64);
}

Q_UNPACK(q5_K)
{
    const struct block_q5_K *b = blocks;
    (void)n;
    scales_and_mins(b->scales, fp16_to_float(b->d), fp16_to_float(b->dmin), out);
    for (int g = 0; g < 4; g++)
        nibbles_32(b->qs + g * 32, out->level + g * 64);
    for (int g = 0; g < 8; g++)
        for (int i = 0; i < 32; i += 8) {
            uint8_t *level = out->level + g * 32 + i;
            put_eight(level, eight(level) | (eight(b->qh + i) >> g & EACH(1)) << 4);
        }
}

Q_UNPACK(q6_K)
{
    const struct block_q6_K *b = blocks;
    const float d = fp16_to_float(b->d);
    (void)n;
    put_scaled(bytes_load(b->scales), d, out->scale);
    for (int half = 0; half < 2; half++) {
        const uint8_t *restrict ql = b->ql + half * 64, *restrict qh = b->qh + half * 32;
        uint8_t *restrict level = out->level + half * 128;
        for (int i = 0; i < 32; i += 8) {
            uint64_t high = eight(qh + i), first = eight(ql + i), second = eight(ql + 32 + i);
            put_eight(level + i, (first & EACH(15)) | (high & EACH(3)) << 4);
            put_eight(level + 32 + i, (second & EACH(15)) | (high & EACH(12)) << 2);
            put_eight(level + 64 + i, (first >> 4 & EACH(15)) | (high & EACH(48)));
            put_eight(level + 96 + i, (second >> 4 & EACH(15)) | (high >> 2 & EACH(48)));
        }
    }
}

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
