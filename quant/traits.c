/* The table of formats: one row a type. */
#include "quant/blocks.h"
#include "quant/formats.h"
#include "quant/fp.h"

#include <math.h>
#include <string.h>

#define CODEC(type, name)                                                                      \
    {                                                                                          \
        type, quant_decode_##name, quant_encode_##name, false                                  \
    }
#define DECODER(type, name)                                                                    \
    {                                                                                          \
        type, quant_decode_##name, NULL, false                                                 \
    }
/* Too few bits to be of use without importance. */
#define WEIGHED(type, name)                                                                    \
    {                                                                                          \
        type, quant_decode_##name, NULL, true                                                  \
    }

static const struct quant_format formats[] = {
    CODEC(GGUF_F32, f32),       CODEC(GGUF_F16, f16),           CODEC(GGUF_BF16, bf16),
    DECODER(GGUF_F64, f64),     DECODER(GGUF_I8, i8),           DECODER(GGUF_I16, i16),
    DECODER(GGUF_I32, i32),     DECODER(GGUF_I64, i64),         CODEC(GGUF_Q4_0, q4_0),
    CODEC(GGUF_Q4_1, q4_1),     CODEC(GGUF_Q5_0, q5_0),         CODEC(GGUF_Q5_1, q5_1),
    CODEC(GGUF_Q8_0, q8_0),     DECODER(GGUF_Q8_1, q8_1),       CODEC(GGUF_Q2_K, q2_K),
    CODEC(GGUF_Q3_K, q3_K),     CODEC(GGUF_Q4_K, q4_K),         CODEC(GGUF_Q5_K, q5_K),
    CODEC(GGUF_Q6_K, q6_K),     DECODER(GGUF_Q8_K, q8_K),       WEIGHED(GGUF_IQ1_S, iq1_s),
    WEIGHED(GGUF_IQ1_M, iq1_m), WEIGHED(GGUF_IQ2_XXS, iq2_xxs), WEIGHED(GGUF_IQ2_XS, iq2_xs),
    WEIGHED(GGUF_IQ2_S, iq2_s), WEIGHED(GGUF_IQ3_XXS, iq3_xxs), DECODER(GGUF_IQ3_S, iq3_s),
    CODEC(GGUF_IQ4_NL, iq4_nl), CODEC(GGUF_IQ4_XS, iq4_xs),     CODEC(GGUF_TQ1_0, tq1_0),
    CODEC(GGUF_TQ2_0, tq2_0),   CODEC(GGUF_MXFP4, mxfp4),       DECODER(GGUF_NVFP4, nvfp4),
    DECODER(GGUF_Q1_0, q1_0),   DECODER(GGUF_Q2_0, q2_0),
};

const struct quant_format *quant_format_find(uint32_t type)
{
    for (size_t i = 0; i < sizeof formats / sizeof formats[0]; i++) {
        if (formats[i].type == type)
            return &formats[i];
    }
    return NULL;
}

/* ---- Scales that are no numbers -------------------------------------------------------- */

/* Where a block keeps its floating-point fields: the width is 2 for half precision, 4 for
 * float, 8 for double. NVFP4 scales are always finite. */
struct scale_fields {
    uint32_t type;
    uint8_t offset, width, count;
};

static const struct scale_fields scale_fields[] = {
    {GGUF_F32, 0, 4, 1},    {GGUF_F16, 0, 2, 1},     {GGUF_F64, 0, 8, 1},
    {GGUF_Q4_0, 0, 2, 1},   {GGUF_Q4_1, 0, 2, 2},    {GGUF_Q5_0, 0, 2, 1},
    {GGUF_Q5_1, 0, 2, 2},   {GGUF_Q8_0, 0, 2, 1},    {GGUF_Q8_1, 0, 2, 2},
    {GGUF_Q2_K, 80, 2, 2},  {GGUF_Q3_K, 108, 2, 1},  {GGUF_Q4_K, 0, 2, 2},
    {GGUF_Q5_K, 0, 2, 2},   {GGUF_Q6_K, 208, 2, 1},  {GGUF_Q8_K, 0, 4, 1},
    {GGUF_IQ1_S, 0, 2, 1},  {GGUF_IQ2_XXS, 0, 2, 1}, {GGUF_IQ2_XS, 0, 2, 1},
    {GGUF_IQ2_S, 0, 2, 1},  {GGUF_IQ3_XXS, 0, 2, 1}, {GGUF_IQ3_S, 0, 2, 1},
    {GGUF_IQ4_NL, 0, 2, 1}, {GGUF_IQ4_XS, 0, 2, 1},  {GGUF_TQ1_0, 52, 2, 1},
    {GGUF_TQ2_0, 64, 2, 1}, {GGUF_Q1_0, 0, 2, 1},    {GGUF_Q2_0, 0, 2, 1},
};

/* All bits of the exponent set: infinity or NaN. */
static bool is_special(const unsigned char *field, size_t width)
{
    uint16_t half;
    uint32_t single;
    uint64_t twice;
    switch (width) {
    case sizeof half:
        memcpy(&half, field, sizeof half);
        return (half & 0x7c00) == 0x7c00;
    case sizeof single:
        memcpy(&single, field, sizeof single);
        return (single & 0x7f800000) == 0x7f800000;
    default:
        memcpy(&twice, field, sizeof twice);
        return (twice & 0x7ff0000000000000) == 0x7ff0000000000000;
    }
}

static bool has_special(const struct scale_fields *fields, const unsigned char *block)
{
    for (size_t i = 0; i < fields->count; i++) {
        if (is_special(block + fields->offset + i * fields->width, fields->width))
            return true;
    }
    return false;
}

static size_t find_in_fields(const struct scale_fields *fields, const unsigned char *block,
                             size_t n_blocks)
{
    size_t bytes = gguf_type_find(fields->type)->block_bytes;
    for (size_t i = 0; i < n_blocks; i++, block += bytes) {
        if (has_special(fields, block))
            return i;
    }
    return SIZE_MAX;
}

/* Types whose exponent lies elsewhere: bfloat16, E8M0, and the scattered scale of IQ1_M. */
static size_t find_bf16(const uint16_t *v, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if ((v[i] & 0x7f80) == 0x7f80)
            return i;
    }
    return SIZE_MAX;
}

static size_t find_iq1_m(const struct block_iq1_m *b, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        unsigned top = b[i].scales[3] >> 12, next = b[i].scales[2] >> 12;
        if ((top & 7) == 7 && (next & 0xc) == 0xc)
            return i;
    }
    return SIZE_MAX;
}

/* 255 is the NaN of E8M0. */
static size_t find_mxfp4(const struct block_mxfp4 *b, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (b[i].e == 255)
            return i;
    }
    return SIZE_MAX;
}

size_t quant_find_invalid(uint32_t type, const void *blocks, size_t n_blocks)
{
    if (type == GGUF_BF16)
        return find_bf16(blocks, n_blocks);
    if (type == GGUF_IQ1_M)
        return find_iq1_m(blocks, n_blocks);
    if (type == GGUF_MXFP4)
        return find_mxfp4(blocks, n_blocks);
    for (size_t i = 0; i < sizeof scale_fields / sizeof scale_fields[0]; i++) {
        if (scale_fields[i].type == type)
            return find_in_fields(&scale_fields[i], blocks, n_blocks);
    }
    return SIZE_MAX;
}
