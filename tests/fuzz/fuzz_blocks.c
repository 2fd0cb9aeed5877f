/* Decoding any bytes and encoding any finite floats: the same at every level of the
 * processor, no access outside the arrays, finite where quant_find_invalid says so. The first
 * byte of the input chooses the type, the second what is done. */
#include "tests/fuzz/fuzz.h"
#include "quant/quant.h"

#include <math.h>
#include <string.h>

#define N_LEVELS   4
#define MAX_BLOCKS 40

/* Blocks and their elements, in arrays of just that size. */
struct row {
    const struct gguf_type_info *type;
    size_t n, n_bytes;
    unsigned char *blocks;
    float *x;
};

static struct row row_new(const struct gguf_type_info *type, size_t n_blocks)
{
    struct row row = {.type = type, .n = n_blocks * type->block_elements};
    row.n_bytes = n_blocks * type->block_bytes;
    row.blocks = malloc(row.n_bytes);
    row.x = malloc(row.n * sizeof *row.x);
    fuzz_assert(row.blocks && row.x);
    return row;
}

static void row_free(struct row *row)
{
    free(row->blocks);
    free(row->x);
}

static bool is_same(const float *a, const float *b, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (memcmp(&a[i], &b[i], sizeof *a) != 0 && !(isnan(a[i]) && isnan(b[i])))
            return false;
    }
    return true;
}

static bool all_finite(const float *x, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (!isfinite(x[i]))
            return false;
    }
    return true;
}

/* A scale as large as a float may be finite where its product with a level is not, and a
 * double where the float is not. */
static bool may_overflow(uint32_t type)
{
    return type == GGUF_Q8_K || type == GGUF_MXFP4 || type == GGUF_F64;
}

static void decode(struct row *row)
{
    quant_format_at(row->type->id, QUANT_CPU_SCALAR)->decode(row->blocks, row->x, row->n);
    if (!may_overflow(row->type->id) &&
        quant_find_invalid(row->type->id, row->blocks, row->n_bytes / row->type->block_bytes) ==
            SIZE_MAX)
        fuzz_assert(all_finite(row->x, row->n));
    float *y = malloc(row->n * sizeof *y);
    fuzz_assert(y != NULL);
    for (int cpu = 1; cpu < N_LEVELS; cpu++) {
        const struct quant_format *format = quant_format_at(row->type->id, (enum quant_cpu)cpu);
        if (!format)
            continue;
        format->decode(row->blocks, y, row->n);
        fuzz_assert(is_same(row->x, y, row->n));
    }
    free(y);
}

static void encode(struct row *row, enum quant_preset preset, const float *importance)
{
    unsigned char *found = malloc(row->n_bytes);
    fuzz_assert(found != NULL);
    for (int cpu = 0; cpu < N_LEVELS; cpu++) {
        const struct quant_format *format = quant_format_at(row->type->id, (enum quant_cpu)cpu);
        if (!format)
            continue;
        quant_encoder(format, preset)(row->x, cpu == 0 ? row->blocks : found, row->n,
                                      importance);
        fuzz_assert(cpu == 0 || memcmp(found, row->blocks, row->n_bytes) == 0);
    }
    free(found);
    quant_format_find(row->type->id)->decode(row->blocks, row->x, row->n);
    fuzz_assert(all_finite(row->x, row->n));
}

/* `n` floats from bytes, or as many as there are, the others 0; those that are no numbers
 * too. */
static void floats_of(float *x, size_t n, const uint8_t *data, size_t size)
{
    memset(x, 0, n * sizeof *x);
    memcpy(x, data, size < n * sizeof *x ? size : n * sizeof *x);
    for (size_t i = 0; i < n; i++)
        x[i] = isfinite(x[i]) ? x[i] : 0;
}

static void decode_bytes(const struct gguf_type_info *type, const uint8_t *data, size_t size)
{
    size_t n_blocks = size / type->block_bytes;
    if (n_blocks == 0)
        return;
    struct row row = row_new(type, n_blocks < MAX_BLOCKS ? n_blocks : MAX_BLOCKS);
    memcpy(row.blocks, data, row.n_bytes);
    decode(&row);
    row_free(&row);
}

/* The floats of the row, then as many for the importance. */
static void encode_bytes(const struct quant_format *format, uint8_t how, const uint8_t *data,
                         size_t size)
{
    const struct gguf_type_info *type = gguf_type_find(format->type);
    const bool weighed = how & 4 || format->needs_importance;
    const size_t block_size = type->block_elements * sizeof(float) * (weighed ? 2 : 1);
    struct row row = row_new(type, size / block_size % MAX_BLOCKS + 1);
    const size_t half = weighed ? size / 2 : size;
    float *importance = malloc(row.n * sizeof *importance);
    fuzz_assert(importance != NULL);
    floats_of(row.x, row.n, data, half);
    floats_of(importance, row.n, data + half, size - half);
    for (size_t i = 0; i < row.n; i++)
        importance[i] = fabsf(importance[i]);
    encode(&row, (enum quant_preset)(how % 3), weighed ? importance : NULL);
    free(importance);
    row_free(&row);
}

static const struct quant_format *choose(size_t number)
{
    const struct gguf_type_info *info;
    for (size_t i = 0; (info = gguf_type_at(i)) != NULL; i++) {
        const struct quant_format *format = quant_format_find(info->id);
        if (format && number-- == 0)
            return format;
    }
    return NULL;
}

/* Bit 3 of the second byte: encode; bit 2: with importance; the preset is what it leaves when
 * divided by 3. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct quant_format *format = size > 2 ? choose(data[0] % 48) : NULL;
    if (!format)
        return 0;
    if (data[1] & 8 && format->encode)
        encode_bytes(format, data[1], data + 2, size - 2);
    else
        decode_bytes(gguf_type_find(format->type), data + 2, size - 2);
    return 0;
}

/* For each type, bytes to decode and two rows to encode. */
size_t fuzz_seed(size_t index, uint8_t *out)
{
    const size_t size = 1500;
    uint32_t random = (uint32_t)index;
    if (!choose(index / 3))
        return 0;
    out[0] = (uint8_t)(index / 3);
    out[1] = (uint8_t)(index % 3 == 0 ? 0 : index % 3 == 1 ? 9 : 12);
    for (size_t i = 2; i < size; i++) {
        random = random * 1664525u + 1013904223u;
        out[i] = i % 4 == 1 && out[1] ? 0x3c : (uint8_t)(random >> 24);
    }
    return size;
}
