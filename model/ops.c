/* Operations on rows of activations. Each row is worked on by one thread, in order: results
 * do not depend on the number of threads. */
#include <math.h>

#include "model/internal.h"

/* x / sqrt(mean(x^2) + eps) */
static void norm_rms(const float *x, float *y, size_t n, double eps)
{
    double sum = 0.0;
    for (size_t i = 0; i < n; i++)
        sum += (double)x[i] * (double)x[i];
    float scale = (float)(1.0 / sqrt(sum / (double)n + eps));
    for (size_t i = 0; i < n; i++)
        y[i] = x[i] * scale;
}

/* (x - mean) / sqrt(variance + eps) */
static void norm_layer(const float *x, float *y, size_t n, double eps)
{
    double sum = 0.0, squares = 0.0;
    for (size_t i = 0; i < n; i++)
        sum += (double)x[i];
    float mean = (float)(sum / (double)n);
    for (size_t i = 0; i < n; i++) {
        y[i] = x[i] - mean;
        squares += (double)y[i] * (double)y[i];
    }
    float scale = (float)(1.0 / sqrt(squares / (double)n + eps));
    for (size_t i = 0; i < n; i++)
        y[i] *= scale;
}

/* Row r uses row r % period of a weight with several. */
static void weigh(float *y, size_t n, size_t row, const struct model_weight *weight,
                  const struct model_weight *bias)
{
    if (weight) {
        const float *w = weight->vector + row % (size_t)weight->rows * n;
        for (size_t i = 0; i < n; i++)
            y[i] *= w[i];
    }
    for (size_t i = 0; bias && i < n; i++)
        y[i] += bias->vector[i];
}

void op_norm(const struct model_context *ctx, const struct model_rows *rows,
             const struct model_weight *weight, const struct model_weight *bias)
{
    const struct model *model = ctx->model;
    bool rms = model->arch->norm == MODEL_NORM_RMS;
    double eps = (double)(rms ? model->h.norm_rms_eps : model->h.norm_eps);
#pragma omp parallel for num_threads(model->threads) schedule(static)
    for (size_t r = 0; r < rows->rows; r++) {
        float *y = rows->y + r * rows->stride;
        (rms ? norm_rms : norm_layer)(rows->x + r * rows->stride, y, rows->length, eps);
        weigh(y, rows->length, r, weight, bias);
    }
}

void op_add_bias(const struct model_context *ctx, float *y, size_t n, size_t length,
                 const struct model_weight *bias)
{
    if (!bias)
        return;
#pragma omp parallel for num_threads(ctx->model->threads) schedule(static)
    for (size_t r = 0; r < n; r++)
        for (size_t i = 0; i < length; i++)
            y[r * length + i] += bias->vector[i];
}

void op_add(const struct model_context *ctx, float *x, const float *y, size_t n, float scale)
{
#pragma omp parallel for simd num_threads(ctx->model->threads) schedule(static)
    for (size_t i = 0; i < n; i++)
        x[i] += scale * y[i];
}

void op_scale(const struct model_context *ctx, float *x, size_t n, float scale)
{
    if (scale == 1.0f)
        return;
#pragma omp parallel for simd num_threads(ctx->model->threads) schedule(static)
    for (size_t i = 0; i < n; i++)
        x[i] *= scale;
}

void op_softcap(const struct model_context *ctx, float *x, size_t n, float cap)
{
    if (cap == 0.0f)
        return;
#pragma omp parallel for num_threads(ctx->model->threads) schedule(static)
    for (size_t i = 0; i < n; i++)
        x[i] = cap * tanhf(x[i] / cap);
}

/* GELU by a table of half-precision values, as engines have it, between -10 and 10. */
static void gelu_of_engines(const struct model_kernels *k, float *x, const float *up, size_t n)
{
    enum { STEP = 256 };
    float rounded[STEP];
    for (size_t from = 0; from < n; from += STEP) {
        size_t part = n - from < STEP ? n - from : STEP;
        float *at = x + from;
        k->round_half(at, rounded, part);
        k->gelu(rounded, NULL, part);
        k->round_half(rounded, rounded, part);
        for (size_t i = 0; i < part; i++) {
            float y = at[i] <= -10.0f ? 0.0f : at[i] >= 10.0f ? at[i] : rounded[i];
            at[i] = up ? y * up[from + i] : y;
        }
    }
}

void op_activate(const struct model_context *ctx, const struct model_gated *g)
{
    const struct model_kernels *k = ctx->model->kernels;
    bool silu = ctx->model->arch->activation == MODEL_ACT_SILU;
    bool exact = ctx->model->settings.activations == MODEL_ACTIVATIONS_F32;
#pragma omp parallel for num_threads(ctx->model->threads) schedule(static)
    for (size_t r = 0; r < g->n; r++) {
        const float *up = g->up ? g->up + r * g->up_stride : NULL;
        float *gate = g->gate + r * g->gate_stride;
        if (silu)
            k->silu(gate, up, g->length);
        else if (exact)
            k->gelu(gate, up, g->length);
        else
            gelu_of_engines(k, gate, up, g->length);
    }
}
