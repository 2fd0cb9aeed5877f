/* What blocks say of themselves without being decoded. */
#include "quant/blocks.h"
#include "quant/quant.h"

#include <string.h>

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
