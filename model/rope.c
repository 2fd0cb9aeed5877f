/*
 * Rotary position embedding, arXiv:2104.09864: pair i of a head at position p is rotated by
 * p * base^(-2i / dims), changed by the scaling of long contexts.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "libgguf/error.h"
#include "model/internal.h"

/* What a kind of layer asks for. */
struct rope_shape {
    uint32_t dims;
    double base;
    double factor; /* context extension */
    double extrapolation;
    const float *factors; /* [dims / 2] divisors of the frequencies, or NULL */
};

/* YaRN: the pair that turns `rotations` times over the original context. */
static double yarn_pair(const struct rope_shape *s, double context, double rotations)
{
    double pi = 3.14159265358979323846;
    return s->dims * log(context / (rotations * 2.0 * pi)) / (2.0 * log(s->base));
}

/* YaRN: how much of the unscaled frequency pair i keeps: 1 for fast ones, 0 for slow ones. */
static double yarn_keep(const struct rope_shape *s, const struct model_rope_hparams *h,
                        uint32_t i)
{
    double low = floor(yarn_pair(s, h->original_context, (double)h->beta_fast));
    double high = ceil(yarn_pair(s, h->original_context, (double)h->beta_slow));
    low = low < 0.0 ? 0.0 : low;
    high = high > s->dims - 1.0 ? s->dims - 1.0 : high;
    double width = high - low > 0.001 ? high - low : 0.001;
    double ramp = (i - low) / width;
    ramp = ramp < 0.0 ? 0.0 : ramp > 1.0 ? 1.0 : ramp;
    return (1.0 - ramp) * s->extrapolation;
}

static enum gguf_status init_kind(struct model_context *ctx, struct model_rope *rope,
                                  const struct rope_shape *s)
{
    rope->dims = s->dims;
    size_t pairs = s->dims / 2;
    rope->frequency = context_alloc(ctx, pairs + 1, sizeof(double));
    rope->table = context_alloc(ctx, ctx->capacity * pairs * 2 + 1, sizeof(float));
    if (!rope->frequency || !rope->table)
        return GGUF_ERR_MEMORY;
    for (uint32_t i = 0; i < pairs; i++) {
        double f = pow(s->base, -2.0 * i / s->dims);
        f /= s->factors ? (double)s->factors[i] : 1.0;
        double keep = s->extrapolation > 0.0 ? yarn_keep(s, &ctx->model->h.rope, i) : 0.0;
        rope->frequency[i] = f / s->factor * (1.0 - keep) + f * keep;
    }
    return GGUF_OK;
}

/* YaRN's correction of the attention's temperature, as a factor of sine and cosine. */
static double yarn_magnitude(const struct model *model, double factor)
{
    double scale = factor > 1.0 ? 0.1 * log(factor) : 0.0;
    /* DeepSeek puts it into the scale of the scores: see model_attention_scale. */
    return (model->arch->traits & TRAIT_MLA) && model->h.rope.log_multiplier != 0.0f
               ? 1.0
               : 1.0 + scale;
}

/* Frequency divisors of the file: those of llama3, or those of longrope by context. */
static const float *frequency_factors(const struct model_context *ctx)
{
    const struct model *model = ctx->model;
    enum model_global_role role =
        ctx->n_ctx > model->h.rope.original_context ? GLOBAL_ROPE_LONG : GLOBAL_ROPE_SHORT;
    if (model->global[GLOBAL_ROPE_FREQS])
        role = GLOBAL_ROPE_FREQS;
    return model->global[role] ? model->global[role]->vector : NULL;
}

enum gguf_status rope_init(struct model_context *ctx)
{
    const struct model *model = ctx->model;
    const struct model_rope_hparams *h = &model->h.rope;
    if (model->arch->rope == MODEL_ROPE_NONE)
        return GGUF_OK;
    bool yarn = h->scaling == MODEL_ROPE_SCALING_YARN;
    double extrapolation = h->ext_factor >= 0.0f ? (double)h->ext_factor : yarn ? 1.0 : 0.0;
    struct rope_shape full = {h->dims, (double)h->base, (double)h->factor, extrapolation,
                              frequency_factors(ctx)};
    struct rope_shape sliding = full;
    double magnitude = (double)h->attn_factor;
    magnitude *= extrapolation > 0.0 ? yarn_magnitude(model, full.factor) : 1.0;
    sliding.dims = h->dims_sliding;
    float other_base =
        h->base_sliding != 0.0f ? h->base_sliding : model->arch->rope_base_sliding;
    sliding.base = other_base != 0.0f ? (double)other_base : full.base;
    ctx->rope.magnitude = ctx->rope_sliding.magnitude = (float)magnitude;
    if (model->arch->plain_sliding) {
        sliding.factor = 1.0;
        sliding.extrapolation = 0.0;
        sliding.factors = NULL;
        ctx->rope_sliding.magnitude = 1.0f;
    }
    if (sliding.dims != full.dims)
        sliding.factors = NULL;
    enum gguf_status status = init_kind(ctx, &ctx->rope, &full);
    return status == GGUF_OK ? init_kind(ctx, &ctx->rope_sliding, &sliding) : status;
}

void rope_free(struct model_context *ctx)
{
    free(ctx->rope.frequency);
    free(ctx->rope.table);
    free(ctx->rope_sliding.frequency);
    free(ctx->rope_sliding.table);
}

static void fill_table(const struct model_context *ctx, struct model_rope *rope)
{
    size_t pairs = rope->dims / 2;
#pragma omp parallel for num_threads(ctx->model->threads) schedule(static)
    for (size_t t = 0; t < ctx->n; t++)
        for (size_t i = 0; i < pairs; i++) {
            double angle = ctx->positions[t] * rope->frequency[i];
            rope->table[(t * pairs + i) * 2] = (float)cos(angle) * rope->magnitude;
            rope->table[(t * pairs + i) * 2 + 1] = (float)sin(angle) * rope->magnitude;
        }
}

void rope_prepare(struct model_context *ctx)
{
    fill_table(ctx, &ctx->rope);
    if (ctx->model->h.window > 0)
        fill_table(ctx, &ctx->rope_sliding);
}

/* x [dims], table [dims / 2][2] */
static void rotate_head(float *x, size_t dims, enum model_rope_kind kind, const float *table)
{
    size_t pairs = dims / 2, step = kind == MODEL_ROPE_NEOX ? 1 : 2;
    size_t apart = kind == MODEL_ROPE_NEOX ? pairs : 1;
    for (size_t i = 0; i < pairs; i++) {
        float *a = x + i * step, *b = a + apart;
        float cosine = table[2 * i], sine = table[2 * i + 1];
        float a0 = *a, b0 = *b;
        *a = a0 * cosine - b0 * sine;
        *b = a0 * sine + b0 * cosine;
    }
}

void op_rope(const struct model_context *ctx, const struct model_rope *rope,
             const struct model_rotation *rotation)
{
    size_t pairs = rope->dims / 2;
#pragma omp parallel for num_threads(ctx->model->threads) schedule(static)
    for (size_t t = 0; t < ctx->n; t++)
        for (size_t head = 0; head < rotation->heads; head++)
            rotate_head(rotation->x + t * rotation->stride + head * rotation->head_stride,
                        rope->dims, ctx->model->arch->rope, rope->table + t * pairs * 2);
}
