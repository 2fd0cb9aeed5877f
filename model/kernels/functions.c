/* Exponentials and what is made of them. The loops have no branches: compilers turn them
 * into vectors, and fmaf into instructions where the level has them. */
#include <math.h>
#include <string.h>

#include "model/kernels/inner.h"

/*
 * exp(x) = 2^n exp(r), n = round(x / ln 2), |r| <= ln(2) / 2: a polynomial of degree 6
 * (Taylor, the last term below 2^-23) and n added to the exponent. Results below the
 * smallest normal number are 0, x above 88 gives exp(88).
 */
static inline float fast_exp(float x)
{
    const float magic = 12582912.0f; /* 1.5 * 2^23: rounds to an integer */
    const uint32_t magic_bits = 0x4b400000;
    float clamped = x < -87.0f ? -87.0f : x > 88.0f ? 88.0f : x;
    float shifted = fmaf(clamped, 1.44269504f, magic);
    float n = shifted - magic;
    /* 0.693359375 - 2.12194440e-4 = ln 2 in two parts (Cephes expf): the first is exact in
     * n * c. */
    float r = fmaf(n, -0.693359375f, clamped);
    r = fmaf(n, 2.12194440e-4f, r);
    float p = 1.0f / 720.0f;
    p = fmaf(p, r, 1.0f / 120.0f);
    p = fmaf(p, r, 1.0f / 24.0f);
    p = fmaf(p, r, 1.0f / 6.0f);
    p = fmaf(p, r, 0.5f);
    p = fmaf(p, r, 1.0f);
    p = fmaf(p, r, 1.0f);
    int32_t bits, exponent;
    memcpy(&bits, &shifted, sizeof bits);
    exponent = (int32_t)(((uint32_t)bits - magic_bits + 127u) << 23);
    float scale;
    memcpy(&scale, &exponent, sizeof scale);
    return x < -87.0f ? 0.0f : p * scale;
}

#define SUMS 16 /* partial sums, so that the order does not depend on the level */

float KERNEL_NAME(kernel_softmax)(float *x, size_t n, float scale)
{
    float most[SUMS], sums[SUMS];
    for (size_t s = 0; s < SUMS; s++) {
        most[s] = -INFINITY;
        sums[s] = 0.0f;
    }
    size_t i = 0;
    for (; i + SUMS <= n; i += SUMS)
        for (size_t s = 0; s < SUMS; s++) {
            x[i + s] *= scale;
            most[s] = x[i + s] > most[s] ? x[i + s] : most[s];
        }
    for (size_t s = 0; i + s < n; s++) {
        x[i + s] *= scale;
        most[s] = x[i + s] > most[s] ? x[i + s] : most[s];
    }
    for (size_t s = 1; s < SUMS; s++)
        most[0] = most[s] > most[0] ? most[s] : most[0];
    const float max = most[0];
    for (i = 0; i + SUMS <= n; i += SUMS)
        for (size_t s = 0; s < SUMS; s++) {
            x[i + s] = fast_exp(x[i + s] - max);
            sums[s] += x[i + s];
        }
    for (size_t s = 0; i + s < n; s++) {
        x[i + s] = fast_exp(x[i + s] - max);
        sums[s] += x[i + s];
    }
    float sum = 0.0f;
    for (size_t s = 0; s < SUMS; s++)
        sum += sums[s];
    return sum;
}

static inline float silu(float x)
{
    return x / (1.0f + fast_exp(-x));
}

void KERNEL_NAME(kernel_silu)(float *gate, const float *up, size_t n)
{
    if (up)
        for (size_t i = 0; i < n; i++)
            gate[i] = silu(gate[i]) * up[i];
    else
        for (size_t i = 0; i < n; i++)
            gate[i] = silu(gate[i]);
}

/* x/2 (1 + tanh(t)) = x / (1 + exp(-2t)), t = sqrt(2/pi) (x + 0.044715 x^3) */
static inline float gelu(float x)
{
    float t = 0.797884561f * x * fmaf(0.044715f * x, x, 1.0f);
    return x / (1.0f + fast_exp(-2.0f * t));
}

void KERNEL_NAME(kernel_gelu)(float *gate, const float *up, size_t n)
{
    if (up)
        for (size_t i = 0; i < n; i++)
            gate[i] = gelu(gate[i]) * up[i];
    else
        for (size_t i = 0; i < n; i++)
            gate[i] = gelu(gate[i]);
}
