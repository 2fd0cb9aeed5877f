/* The objectives of the types, errors, and plain rounding to nearest. */
#include "tests/bench/objective.h"

#include "libgguf/gguf.h"

#include <math.h>

#define LAST BENCH_IMPORTANCE_SIGMA

static const struct bench_type types[] = {
    /* type      without        with              span c  sub  min    least most */
    {GGUF_Q4_0, BENCH_PLAIN, LAST, 0, 1, 32, false, -8, 7},
    {GGUF_Q5_0, BENCH_PLAIN, LAST, 0, 1, 32, false, -16, 15},
    {GGUF_Q8_0, BENCH_PLAIN, LAST, 0, 1, 32, false, -127, 127}, /* there: without, always */
    {GGUF_Q4_1, BENCH_PLAIN, LAST, 0, 1, 32, true, 0, 15},
    {GGUF_Q5_1, BENCH_PLAIN, LAST, 0, 1, 32, true, 0, 31},
    {GGUF_Q2_K, BENCH_ABS, LAST, 256, 1, 16, true, 0, 3},
    {GGUF_Q3_K, BENCH_SQUARE, LAST, 256, 2, 16, false, -4, 3},
    {GGUF_Q4_K, BENCH_RMS_ABS, LAST, 256, 2, 32, true, 0, 15},
    {GGUF_Q5_K, BENCH_RMS_ABS, LAST, 256, 2, 32, true, 0, 31},
    {GGUF_Q6_K, BENCH_SQUARE, BENCH_IMPORTANCE, 0, 0, 16, false, -32, 31},
    {GGUF_IQ4_NL, BENCH_SQUARE, LAST, 32, 2, 32, false, -8, 7},
    {GGUF_IQ4_XS, BENCH_SQUARE, LAST, 256, 2, 32, false, -8, 7},
};

const struct bench_type *bench_type_find(uint32_t type)
{
    static const struct bench_type other = {.without = BENCH_PLAIN, .with = BENCH_IMPORTANCE};
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
        if (types[i].type == type)
            return &types[i];
    return &other;
}

/* ---- Errors ------------------------------------------------------------------------- */

static double mean_square(const float *x, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += (double)x[i] * (double)x[i];
    return sum / (double)n;
}

static double weight(enum bench_weighting weighting, double x, double spread, double importance)
{
    switch (weighting) {
    case BENCH_PLAIN:
        return 1;
    case BENCH_ABS:
        return fabs(x);
    case BENCH_RMS_ABS:
        return sqrt(spread) + fabs(x);
    case BENCH_SQUARE:
        return x * x;
    case BENCH_IMPORTANCE:
        return importance;
    case BENCH_IMPORTANCE_SIGMA:
        return importance * sqrt(spread + x * x);
    }
    return 0;
}

/* The weights that share a spread, and the factor of their mean square. */
static size_t spread_span(const struct bench_type *type, enum bench_weighting weighting,
                          size_t n)
{
    if (weighting == BENCH_RMS_ABS)
        return 32;
    return type->span ? type->span : n;
}

void bench_error_add(struct bench_error *sum, const struct bench_type *type, const float *x,
                     const float *y, size_t n, const float *importance)
{
    enum bench_weighting weighting = importance ? type->with : type->without;
    size_t span = spread_span(type, weighting, n);
    double factor = weighting == BENCH_IMPORTANCE_SIGMA ? type->c : 1;
    double spread = 0;
    for (size_t i = 0; i < n; i++) {
        if (i % span == 0)
            spread = factor * mean_square(x + i, i + span <= n ? span : n - i);
        double value = (double)x[i], error = value - (double)y[i];
        double w = weight(weighting, value, spread, importance ? (double)importance[i] : 1);
        sum->error += error * error;
        sum->energy += value * value;
        sum->weighted_error += w * error * error;
        sum->weighted_energy += w * value * value;
    }
}

void bench_error_merge(struct bench_error *sum, const struct bench_error *other)
{
    sum->error += other->error;
    sum->energy += other->energy;
    sum->weighted_error += other->weighted_error;
    sum->weighted_energy += other->weighted_energy;
}

static double relative(double error, double energy)
{
    return error > 0 ? sqrt(error / energy) : 0;
}

double bench_rmse(const struct bench_error *e)
{
    return relative(e->error, e->energy);
}

double bench_weighted_rmse(const struct bench_error *e)
{
    return relative(e->weighted_error, e->weighted_energy);
}

/* ---- Rounding to nearest ------------------------------------------------------------- */

/* The scale that takes the largest magnitude to `least`, or with a min the range to 0..most. */
static void fit_range(const struct bench_type *type, const float *x, float *scale, float *min)
{
    float low = 0, high = 0;
    for (size_t i = 0; i < type->sub_block; i++) {
        low = x[i] < low ? x[i] : low;
        high = x[i] > high ? x[i] : high;
    }
    *min = type->has_min ? low : 0;
    if (type->has_min)
        *scale = (high - low) / (float)type->most;
    else
        *scale = (high > -low ? high : low) / (float)type->least;
}

void bench_round(const struct bench_type *type, const float *x, size_t n, int8_t *codes,
                 float *scales)
{
    const float magic = 12582912; /* 3 * 2^22: the sum has no bits left for a fraction */
    for (size_t b = 0; b < n / type->sub_block; b++) {
        float *scale = scales + 2 * b, *min = scale + 1;
        fit_range(type, x, scale, min);
        float inverse = fabsf(*scale) > 0 ? 1 / *scale : 0;
        for (size_t i = 0; i < type->sub_block; i++) {
            float q = ((x[i] - *min) * inverse + magic) - magic;
            q = q < (float)type->least ? (float)type->least : q;
            codes[i] = (int8_t)(q > (float)type->most ? (float)type->most : q);
        }
        x += type->sub_block;
        codes += type->sub_block;
    }
}

void bench_unround(const struct bench_type *type, const int8_t *codes, const float *scales,
                   size_t n, float *y)
{
    for (size_t i = 0; i < n; i++) {
        const float *scale = scales + 2 * (i / type->sub_block);
        y[i] = scale[0] * (float)codes[i] + scale[1];
    }
}
