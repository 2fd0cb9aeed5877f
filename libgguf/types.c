/* The tensor types: one row each. Sizes are those of the block layouts that
 * docs/blocks.md draws. */
#include "libgguf/gguf.h"
#include "libgguf/checked.h"

#include <string.h>
#include <strings.h>

#define CURRENT GGUF_TYPE_CURRENT
#define REMOVED GGUF_TYPE_REMOVED
#define FORK    GGUF_TYPE_FORK

static const struct gguf_type_info types[] = {
    {GGUF_F32, "F32", CURRENT, 1, 4, {{0, 4, 1}}},
    {GGUF_F16, "F16", CURRENT, 1, 2, {{0, 2, 1}}},
    {GGUF_Q4_0, "Q4_0", CURRENT, 32, 18, {{0, 2, 1}}},
    {GGUF_Q4_1, "Q4_1", CURRENT, 32, 20, {{0, 2, 2}}},
    {4, "Q4_2", REMOVED, 0, 0, {{0}}},
    {5, "Q4_3", REMOVED, 0, 0, {{0}}},
    {GGUF_Q5_0, "Q5_0", CURRENT, 32, 22, {{0, 2, 1}}},
    {GGUF_Q5_1, "Q5_1", CURRENT, 32, 24, {{0, 2, 2}}},
    {GGUF_Q8_0, "Q8_0", CURRENT, 32, 34, {{0, 2, 1}}},
    {GGUF_Q8_1, "Q8_1", CURRENT, 32, 36, {{0, 2, 2}}},
    {GGUF_Q2_K, "Q2_K", CURRENT, 256, 84, {{80, 2, 2}}},
    {GGUF_Q3_K, "Q3_K", CURRENT, 256, 110, {{108, 2, 1}}},
    {GGUF_Q4_K, "Q4_K", CURRENT, 256, 144, {{0, 2, 2}}},
    {GGUF_Q5_K, "Q5_K", CURRENT, 256, 176, {{0, 2, 2}}},
    {GGUF_Q6_K, "Q6_K", CURRENT, 256, 210, {{208, 2, 1}}},
    {GGUF_Q8_K, "Q8_K", CURRENT, 256, 292, {{0, 4, 1}, {0, 0, 0}}},
    {GGUF_IQ2_XXS, "IQ2_XXS", CURRENT, 256, 66, {{0, 2, 33}}},
    {GGUF_IQ2_XS, "IQ2_XS", CURRENT, 256, 74, {{0, 2, 33}}},
    {GGUF_IQ3_XXS, "IQ3_XXS", CURRENT, 256, 98, {{0, 2, 1}}},
    {GGUF_IQ1_S, "IQ1_S", CURRENT, 256, 50, {{0, 2, 1}, {34, 2, 8}}},
    {GGUF_IQ4_NL, "IQ4_NL", CURRENT, 32, 18, {{0, 2, 1}}},
    {GGUF_IQ3_S, "IQ3_S", CURRENT, 256, 110, {{0, 2, 1}}},
    {GGUF_IQ2_S, "IQ2_S", CURRENT, 256, 82, {{0, 2, 1}}},
    {GGUF_IQ4_XS, "IQ4_XS", CURRENT, 256, 136, {{0, 2, 2}}},
    {GGUF_I8, "I8", CURRENT, 1, 1, {{0}}},
    {GGUF_I16, "I16", CURRENT, 1, 2, {{0, 2, 1}}},
    {GGUF_I32, "I32", CURRENT, 1, 4, {{0, 4, 1}}},
    {GGUF_I64, "I64", CURRENT, 1, 8, {{0, 8, 1}}},
    {GGUF_F64, "F64", CURRENT, 1, 8, {{0, 8, 1}}},
    {GGUF_IQ1_M, "IQ1_M", CURRENT, 256, 56, {{48, 2, 4}}},
    {GGUF_BF16, "BF16", CURRENT, 1, 2, {{0, 2, 1}}},
    {31, "Q4_0_4_4", REMOVED, 0, 0, {{0}}},
    {32, "Q4_0_4_8", REMOVED, 0, 0, {{0}}},
    {33, "Q4_0_8_8", REMOVED, 0, 0, {{0}}},
    {GGUF_TQ1_0, "TQ1_0", CURRENT, 256, 54, {{52, 2, 1}}},
    {GGUF_TQ2_0, "TQ2_0", CURRENT, 256, 66, {{64, 2, 1}}},
    {36, "IQ4_NL_4_4", REMOVED, 0, 0, {{0}}},
    {37, "IQ4_NL_4_8", REMOVED, 0, 0, {{0}}},
    {38, "IQ4_NL_8_8", REMOVED, 0, 0, {{0}}},
    {GGUF_MXFP4, "MXFP4", CURRENT, 32, 17, {{0}}},
    {GGUF_NVFP4, "NVFP4", CURRENT, 64, 36, {{0}}},
    {GGUF_Q1_0, "Q1_0", CURRENT, 128, 18, {{0, 2, 1}}},
    {GGUF_Q2_0, "Q2_0", CURRENT, 64, 18, {{0, 2, 1}}},
    {133, "Q6_0", FORK, 0, 0, {{0}}},
    {134, "IQ1_BN", FORK, 0, 0, {{0}}},
    {135, "IQ2_BN", FORK, 0, 0, {{0}}},
    {137, "IQ2_K", FORK, 0, 0, {{0}}},
    {138, "IQ3_K", FORK, 0, 0, {{0}}},
    {139, "IQ4_K", FORK, 0, 0, {{0}}},
    {140, "IQ5_K", FORK, 0, 0, {{0}}},
    {141, "IQ6_K", FORK, 0, 0, {{0}}},
    {144, "IQ4_KS", FORK, 0, 0, {{0}}},
    {145, "IQ2_KS", FORK, 0, 0, {{0}}},
    {146, "IQ4_KSS", FORK, 0, 0, {{0}}},
    {151, "Q8_KV", FORK, 0, 0, {{0}}},
    {152, "IQ5_KS", FORK, 0, 0, {{0}}},
    {153, "IQ2_KT", FORK, 0, 0, {{0}}},
    {154, "IQ3_KT", FORK, 0, 0, {{0}}},
    {155, "IQ4_KT", FORK, 0, 0, {{0}}},
    {156, "IQ3_KS", FORK, 0, 0, {{0}}},
    {157, "IQ2_KL", FORK, 0, 0, {{0}}},
    {158, "IQ1_KT", FORK, 0, 0, {{0}}},
    {202, "Q4_0_R8", FORK, 0, 0, {{0}}},
    {206, "Q5_0_R4", FORK, 0, 0, {{0}}},
    {208, "Q8_0_R8", FORK, 0, 0, {{0}}},
    {210, "Q2_K_R4", FORK, 0, 0, {{0}}},
    {211, "Q3_K_R4", FORK, 0, 0, {{0}}},
    {212, "Q4_K_R4", FORK, 0, 0, {{0}}},
    {213, "Q5_K_R4", FORK, 0, 0, {{0}}},
    {214, "Q6_K_R4", FORK, 0, 0, {{0}}},
    {216, "IQ2_XXS_R4", FORK, 0, 0, {{0}}},
    {217, "IQ2_XS_R4", FORK, 0, 0, {{0}}},
    {218, "IQ3_XXS_R4", FORK, 0, 0, {{0}}},
    {219, "IQ1_S_R4", FORK, 0, 0, {{0}}},
    {220, "IQ4_NL_R4", FORK, 0, 0, {{0}}},
    {221, "IQ3_S_R4", FORK, 0, 0, {{0}}},
    {222, "IQ2_S_R4", FORK, 0, 0, {{0}}},
    {223, "IQ4_XS_R8", FORK, 0, 0, {{0}}},
    {229, "IQ1_M_R4", FORK, 0, 0, {{0}}},
    {230, "BF16_R16", FORK, 0, 0, {{0}}},
    {233, "Q6_0_R4", FORK, 0, 0, {{0}}},
    {335, "IQ2_BN_R4", FORK, 0, 0, {{0}}},
    {337, "IQ2_K_R4", FORK, 0, 0, {{0}}},
    {338, "IQ3_K_R4", FORK, 0, 0, {{0}}},
    {339, "IQ4_K_R4", FORK, 0, 0, {{0}}},
    {340, "IQ5_K_R4", FORK, 0, 0, {{0}}},
    {344, "IQ4_KS_R4", FORK, 0, 0, {{0}}},
    {352, "IQ5_KS_R4", FORK, 0, 0, {{0}}},
    {397, "Q8_K_R16", FORK, 0, 0, {{0}}},
    {398, "Q8_KV_R8", FORK, 0, 0, {{0}}},
    {399, "Q8_K_R8", FORK, 0, 0, {{0}}},
};

#define TYPE_COUNT (sizeof types / sizeof types[0])

const struct gguf_type_info *gguf_type_at(size_t index)
{
    return index < TYPE_COUNT ? &types[index] : NULL;
}

/* The first 43 ids are dense and in order, so most look-ups are one access. */
const struct gguf_type_info *gguf_type_find(uint32_t id)
{
    if (id < TYPE_COUNT && types[id].id == id)
        return &types[id];
    for (size_t i = 0; i < TYPE_COUNT; i++) {
        if (types[i].id == id)
            return &types[i];
    }
    return NULL;
}

const struct gguf_type_info *gguf_type_by_name(const char *name)
{
    for (size_t i = 0; i < TYPE_COUNT; i++) {
        if (types[i].origin == GGUF_TYPE_CURRENT && strcasecmp(types[i].name, name) == 0)
            return &types[i];
    }
    return NULL;
}

bool gguf_type_bytes(uint32_t type, uint64_t elements, uint64_t *bytes)
{
    const struct gguf_type_info *info = gguf_type_find(type);
    if (!info || info->block_elements == 0 || elements % info->block_elements != 0)
        return false;
    return checked_mul(elements / info->block_elements, info->block_bytes, bytes);
}

static void swap_bytes(unsigned char *p, size_t width)
{
    for (size_t i = 0; i < width / 2; i++) {
        unsigned char t = p[i];
        p[i] = p[width - 1 - i];
        p[width - 1 - i] = t;
    }
}

void gguf_type_swap(uint32_t type, void *data, size_t bytes)
{
    const struct gguf_type_info *info = gguf_type_find(type);
    if (!info || info->fields[0].width == 0 || bytes == 0)
        return;
    for (unsigned char *block = data, *end = block + bytes; block < end;
         block += info->block_bytes) {
        for (size_t f = 0; f < 2 && info->fields[f].width; f++) {
            const struct gguf_field *field = &info->fields[f];
            for (size_t i = 0; i < field->count; i++)
                swap_bytes(block + field->offset + i * field->width, field->width);
        }
    }
}
