/* The loops of peak.h, compiled once for each level of the processor. */
#include "quant/kernels/lanes.h"
#include "tests/bench/peak.h"

#if QUANT_LANES == 16
#include <string.h>
#endif

#ifndef QUANT_LEVEL
#define QUANT_LEVEL scalar
#endif
#define PEAK_JOIN_(name, level) name##_##level
#define PEAK_JOIN(name, level)  PEAK_JOIN_(name, level)
#define PEAK_NAME(name)         PEAK_JOIN(name, QUANT_LEVEL)

/* Sums that are at work at once: more than two units of four cycles need, and few enough to
 * stay in the registers. */
#define CHAINS (QUANT_LANES == 16 ? 24 : 12)

static double peak_floats(size_t rounds, float *out)
{
    lanes sums[CHAINS];
    const lanes a = lanes_all(out[0]), b = lanes_all(out[1]);
    for (size_t c = 0; c < CHAINS; c++)
        sums[c] = lanes_all((float)c);
    for (size_t r = 0; r < rounds; r++)
#pragma GCC unroll 24
        for (size_t c = 0; c < CHAINS; c++)
            sums[c] = lanes_fma(a, b, sums[c]);
    for (size_t c = 1; c < CHAINS; c++)
        sums[0] = lanes_max(sums[0], sums[c]);
    lanes_store(out, sums[0]);
    return 2.0 * CHAINS * QUANT_LANES * (double)rounds;
}

#if QUANT_LANES == 16
__attribute__((target("avx512vnni"))) static double peak_integers(size_t rounds, float *out)
{
    __m512i sums[CHAINS];
    int32_t bits;
    memcpy(&bits, out, sizeof bits);
    const __m512i a = _mm512_set1_epi32(bits), b = _mm512_set1_epi32(bits & 0x01010101);
    for (size_t c = 0; c < CHAINS; c++)
        sums[c] = _mm512_set1_epi32((int)c);
    for (size_t r = 0; r < rounds; r++)
#pragma GCC unroll 24
        for (size_t c = 0; c < CHAINS; c++)
            sums[c] = _mm512_dpbusd_epi32(sums[c], a, b);
    for (size_t c = 1; c < CHAINS; c++)
        sums[0] = _mm512_max_epi32(sums[0], sums[c]);
    _mm512_storeu_si512(out, sums[0]);
    return 2.0 * CHAINS * 64 * (double)rounds;
}
#endif

extern const struct peak_kernels PEAK_NAME(peak_kernels);
const struct peak_kernels PEAK_NAME(peak_kernels) = {
    .floats = peak_floats,
#if QUANT_LANES == 16
    .integers = peak_integers,
#endif
};
