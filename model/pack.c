/* Rounding of activations, and their layout for the kernels. */
#include <math.h>
#include <string.h>

#include "model/pack.h"
#include "quant/fp.h"

#define BLOCK     32
#define BLOCK_Q8K 256

/* ---- What engines do ------------------------------------------------------------- */

static const struct {
    uint32_t type;
    enum model_rounding rounding;
} roundings[] = {
    {GGUF_F16, ROUND_F16},     {GGUF_BF16, ROUND_BF16},    {GGUF_Q4_0, ROUND_Q8_0},
    {GGUF_Q5_0, ROUND_Q8_0},   {GGUF_Q8_0, ROUND_Q8_0},    {GGUF_IQ4_NL, ROUND_Q8_0},
    {GGUF_MXFP4, ROUND_Q8_0},  {GGUF_NVFP4, ROUND_Q8_0},   {GGUF_Q1_0, ROUND_Q8_0},
    {GGUF_Q2_0, ROUND_Q8_0},   {GGUF_Q4_1, ROUND_Q8_1},    {GGUF_Q5_1, ROUND_Q8_1},
    {GGUF_Q2_K, ROUND_Q8_K},   {GGUF_Q3_K, ROUND_Q8_K},    {GGUF_Q4_K, ROUND_Q8_K},
    {GGUF_Q5_K, ROUND_Q8_K},   {GGUF_Q6_K, ROUND_Q8_K},    {GGUF_IQ1_S, ROUND_Q8_K},
    {GGUF_IQ1_M, ROUND_Q8_K},  {GGUF_IQ2_XXS, ROUND_Q8_K}, {GGUF_IQ2_XS, ROUND_Q8_K},
    {GGUF_IQ2_S, ROUND_Q8_K},  {GGUF_IQ3_XXS, ROUND_Q8_K}, {GGUF_IQ3_S, ROUND_Q8_K},
    {GGUF_IQ4_XS, ROUND_Q8_K}, {GGUF_TQ1_0, ROUND_Q8_K},   {GGUF_TQ2_0, ROUND_Q8_K},
};

struct pack_kind pack_kind_of(const struct model *model, const struct model_weight *weight,
                              size_t n)
{
    const bool few = n <= PACK_FEW_ROWS;
    struct pack_kind kind = {.rounding = ROUND_NONE, .mr = few ? 1 : model->kernels->mr};
    if (model->settings.activations == MODEL_ACTIVATIONS_F32)
        return kind;
    for (size_t i = 0; i < sizeof roundings / sizeof roundings[0]; i++)
        if (roundings[i].type == weight->type)
            kind.rounding = roundings[i].rounding;
    if (weight->levels && kind.rounding >= ROUND_Q8_0) {
        kind.integers = true;
        kind.mr = few ? 1 : model->kernels8->mr;
        kind.sub = weight->levels->sub;
        kind.offset = weight->levels->offset - model->kernels8->bias[pack_wide(weight)];
    }
    return kind;
}

bool pack_wide(const struct model_weight *weight)
{
    return weight->levels->offset == 128;
}

bool pack_same(const struct pack_kind *a, const struct pack_kind *b)
{
    return a->rounding == b->rounding && a->integers == b->integers && a->mr == b->mr &&
           a->sub == b->sub && a->offset == b->offset;
}

/* ---- Layout ---------------------------------------------------------------------- */

/* Columns that kernels8 reads. */
static size_t padded(const struct pack_kind *kind, size_t columns)
{
    return kind->mr == 1 ? (columns + 127) / 128 * 128 : columns;
}

size_t pack_group_bytes(const struct pack_kind *kind, size_t columns)
{
    if (!kind->integers)
        return columns * kind->mr * sizeof(float);
    return (padded(kind, columns) + columns / kind->sub * 12) * kind->mr;
}

struct pack_parts pack_parts_of(const struct pack_kind *kind, size_t columns, void *group)
{
    size_t blocks = columns / kind->sub;
    struct pack_parts parts;
    parts.dx = group;
    parts.xs = parts.dx + blocks * kind->mr;
    parts.start = (int32_t *)(void *)(parts.xs + blocks * kind->mr);
    parts.x = (int8_t *)(parts.start + blocks * kind->mr);
    return parts;
}

/* ---- Quantizing ------------------------------------------------------------------ */

/* Rounds n values to integers of steps 1 / inverse: to nearest, ties to even. */
static void to_integers(const float *x, size_t n, float inverse, int8_t *q)
{
    for (size_t i = 0; i < n; i++) {
        float shifted = x[i] * inverse + 12582912.0f; /* 1.5 * 2^23 */
        int32_t bits;
        memcpy(&bits, &shifted, sizeof bits);
        bits -= 0x4b400000; /* those of 1.5 * 2^23 */
        q[i] = (int8_t)(bits > 127 ? 127 : bits);
    }
}

/* Q8_0: the largest magnitude becomes 127. Returns the scale. */
static float quantize_32(const float *x, int8_t *q)
{
    float most = 0.0f;
    for (size_t i = 0; i < BLOCK; i++)
        most = fabsf(x[i]) > most ? fabsf(x[i]) : most;
    float d = most / 127.0f;
    to_integers(x, BLOCK, most != 0.0f ? 127.0f / most : 0.0f, q);
    return fp16_to_float(fp16_from_float(d));
}

/* Q8_K: the value of the largest magnitude, with its sign, becomes -127. */
static float quantize_256(const float *x, int8_t *q)
{
    float most = 0.0f, value = 0.0f;
    for (size_t i = 0; i < BLOCK_Q8K; i++)
        most = fabsf(x[i]) > most ? fabsf(x[i]) : most;
    for (size_t i = 0; i < BLOCK_Q8K; i++)
        if (fabsf(x[i]) == most) {
            value = x[i];
            break;
        }
    float inverse = value != 0.0f ? -127.0f / value : 0.0f;
    to_integers(x, BLOCK_Q8K, inverse, q);
    return value != 0.0f ? 1.0f / inverse : 0.0f;
}

/* The scale of columns [at, at + 256) or fewer, by blocks of 32, and their integers. */
static void quantize(enum model_rounding rounding, const float *x, size_t n, float *d,
                     int8_t *q)
{
    if (rounding == ROUND_Q8_K) {
        d[0] = quantize_256(x, q);
        for (size_t b = 1; b < BLOCK_Q8K / BLOCK; b++)
            d[b] = d[0];
        return;
    }
    for (size_t b = 0; b < n / BLOCK; b++)
        d[b] = quantize_32(x + b * BLOCK, q + b * BLOCK);
}

/* ---- Floats ---------------------------------------------------------------------- */

/* Rounds up to 256 values. */
static void round_values(const struct model *model, enum model_rounding rounding,
                         const float *x, size_t n, float *out)
{
    float d[BLOCK_Q8K / BLOCK] = {0};
    int8_t q[BLOCK_Q8K] = {0};
    switch (rounding) {
    case ROUND_NONE:
        memcpy(out, x, n * sizeof(float));
        return;
    case ROUND_F16:
        model->kernels->round_half(x, out, n);
        return;
    case ROUND_BF16:
        for (size_t i = 0; i < n; i++)
            out[i] = bf16_to_float(bf16_from_float(x[i]));
        return;
    default:
        quantize(rounding, x, n, d, q);
        for (size_t i = 0; i < n; i++)
            out[i] = d[i / BLOCK] * (float)q[i];
    }
}

/* out [columns][mr], in pieces that stay in the cache */
static void pack_floats(const struct model *model, const struct pack_kind *kind,
                        const struct pack_input *in, size_t first, float *out)
{
    size_t mr = kind->mr, rows = in->n - first < mr ? in->n - first : mr;
    float values[KERNEL_MAX_MR][BLOCK_Q8K];
    for (size_t from = 0; from < in->columns; from += BLOCK_Q8K) {
        size_t left = in->columns - from, n = left < BLOCK_Q8K ? left : BLOCK_Q8K;
        for (size_t i = 0; i < rows; i++)
            round_values(model, kind->rounding, in->x + (first + i) * in->columns + from, n,
                         values[i]);
        for (size_t j = 0; j < n; j++)
            for (size_t i = 0; i < rows; i++)
                out[(from + j) * mr + i] = values[i][j];
    }
}

/* ---- Integers -------------------------------------------------------------------- */

/* One row's columns [from, from + n) into the parts of its group. */
static void place_integers(const struct pack_kind *kind, const struct pack_parts *to, size_t i,
                           size_t from, size_t n, const float *d, const int8_t *q)
{
    for (size_t j = 0; j < n; j += 4)
        memcpy(to->x + ((from + j) / 4 * kind->mr + i) * 4, q + j, 4);
    for (size_t j = 0; j < n; j += kind->sub) {
        size_t at = (from + j) / kind->sub * kind->mr + i;
        int32_t sum = 0;
        for (size_t e = 0; e < kind->sub; e++)
            sum += q[j + e];
        float scaled = d[j / BLOCK] * (float)sum;
        to->dx[at] = d[j / BLOCK];
        to->xs[at] =
            kind->rounding == ROUND_Q8_1 ? fp16_to_float(fp16_from_float(scaled)) : scaled;
        to->start[at] = -kind->offset * sum;
    }
}

static void pack_integers(const struct pack_kind *kind, const struct pack_input *in,
                          size_t first, void *out)
{
    size_t rows = in->n - first < kind->mr ? in->n - first : kind->mr;
    struct pack_parts parts = pack_parts_of(kind, in->columns, out);
    float d[BLOCK_Q8K / BLOCK] = {0};
    int8_t q[BLOCK_Q8K] = {0};
    if (rows < kind->mr || kind->mr == 1) /* the kernel reads all rows, and the padding */
        memset(out, 0, pack_group_bytes(kind, in->columns));
    for (size_t i = 0; i < rows; i++)
        for (size_t from = 0; from < in->columns; from += BLOCK_Q8K) {
            size_t left = in->columns - from, n = left < BLOCK_Q8K ? left : BLOCK_Q8K;
            quantize(kind->rounding, in->x + (first + i) * in->columns + from, n, d, q);
            place_integers(kind, &parts, i, from, n, d, q);
        }
}

void pack_group(const struct model *model, const struct pack_kind *kind,
                const struct pack_input *in, size_t index, void *out)
{
    size_t first = index * kind->mr;
    if (kind->integers)
        pack_integers(kind, in, first, out);
    else
        pack_floats(model, kind, in, first, out);
}
