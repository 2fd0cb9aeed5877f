/* The loops of peak.h, compiled once for each level of the processor. */
#include "quant/kernels/lanes.h"
#include "quant/kernels/level.h"
#include "tests/bench/peak.h"

#include <string.h>

/* Sums that are at work at once: more than two units of four cycles need, and few enough to
 * stay in the registers. */
#define CHAINS (QUANT_LANES == 16 ? 16 : 12)

static double peak_floats(size_t rounds, float *out)
{
    lanes sums[CHAINS];
    const lanes a = lanes_all(out[0]), b = lanes_all(out[1]);
    for (size_t c = 0; c < CHAINS; c++)
        sums[c] = lanes_all((float)c);
    for (size_t r = 0; r < rounds; r++)
#pragma GCC unroll 16
        for (size_t c = 0; c < CHAINS; c++)
            sums[c] = lanes_fma(a, b, sums[c]);
    for (size_t c = 1; c < CHAINS; c++)
        sums[0] = lanes_max(sums[0], sums[c]);
    lanes_store(out, sums[0]);
    return 2.0 * CHAINS * QUANT_LANES * (double)rounds;
}

/* ---- Integers -------------------------------------------------------------------- */

/* Makes the compiler forget what it knows of a value. */
#if QUANT_LANES >= 8
#define FORGET(v) __asm__("" : "+v"(v))
#elif QUANT_LANES == 4
#define FORGET(v) __asm__("" : "+w"(v))
#else
#define FORGET(v) __asm__("" : "+r"(v))
#endif

/* `dot` adds products of bytes: to each of the sums, of four bytes of a and b. */
#define INTEGER_LOOP(name, target, type, all, dot, largest)                                    \
    target static double peak_##name(size_t rounds, float *out)                                \
    {                                                                                          \
        int32_t bits;                                                                          \
        memcpy(&bits, out, sizeof bits);                                                       \
        type sums[CHAINS], a = all(bits);                                                      \
        const type b = all(bits & 0x01010101);                                                 \
        for (size_t c = 0; c < CHAINS; c++)                                                    \
            sums[c] = all((int32_t)c);                                                         \
        for (size_t r = 0; r < rounds; r++)                                                    \
            _Pragma("GCC unroll 16") for (size_t c = 0; c < CHAINS; c++)                       \
            {                                                                                  \
                FORGET(a);                                                                     \
                sums[c] = dot(sums[c], a, b);                                                  \
            }                                                                                  \
        type all_sums = sums[0]; /* whose address is taken: sums[] stay registers */           \
        for (size_t c = 1; c < CHAINS; c++)                                                    \
            all_sums = largest(all_sums, sums[c]);                                             \
        memcpy(out, &all_sums, sizeof all_sums);                                               \
        return 2.0 * CHAINS * sizeof(type) * (double)rounds;                                   \
    }

#if QUANT_LANES == 16
#define DOT_PLAIN(sum, a, b)                                                                   \
    _mm512_add_epi32(sum, _mm512_madd_epi16(_mm512_maddubs_epi16(a, b), _mm512_set1_epi16(1)))
#define VNNI __attribute__((target("avx512vnni")))
INTEGER_LOOP(plain, , __m512i, _mm512_set1_epi32, DOT_PLAIN, _mm512_max_epi32)
INTEGER_LOOP(vnni, VNNI, __m512i, _mm512_set1_epi32, _mm512_dpbusd_epi32, _mm512_max_epi32)
#elif QUANT_LANES == 8
#define DOT_PLAIN(sum, a, b)                                                                   \
    _mm256_add_epi32(sum, _mm256_madd_epi16(_mm256_maddubs_epi16(a, b), _mm256_set1_epi16(1)))
INTEGER_LOOP(plain, , __m256i, _mm256_set1_epi32, DOT_PLAIN, _mm256_max_epi32)
#elif QUANT_LANES == 4
static inline int32x4_t dot_plain(int32x4_t sum, int32x4_t a, int32x4_t b)
{
    int8x16_t x = vreinterpretq_s8_s32(a), y = vreinterpretq_s8_s32(b);
    int16x8_t low = vmull_s8(vget_low_s8(x), vget_low_s8(y)), high = vmull_high_s8(x, y);
    return vpadalq_s16(sum, vpaddq_s16(low, high));
}
INTEGER_LOOP(plain, , int32x4_t, vdupq_n_s32, dot_plain, vmaxq_s32)
#if defined(__ARM_FEATURE_DOTPROD) || !defined(__clang__)
#define HAVE_DOTPROD
#ifdef __ARM_FEATURE_DOTPROD
#define DOTPROD
#else
#define DOTPROD __attribute__((target("arch=armv8.2-a+dotprod")))
#endif
#define DOT_DOTPROD(sum, a, b) vdotq_s32(sum, vreinterpretq_s8_s32(a), vreinterpretq_s8_s32(b))
INTEGER_LOOP(dotprod, DOTPROD, int32x4_t, vdupq_n_s32, DOT_DOTPROD, vmaxq_s32)
#endif
#else
static inline int32_t as_it_is(int32_t v)
{
    return v;
}
static inline int32_t largest_of(int32_t a, int32_t b)
{
    return a > b ? a : b;
}
static inline int32_t dot_plain(int32_t sum, int32_t a, int32_t b)
{
    for (int i = 0; i < 32; i += 8)
        sum += (int8_t)(a >> i) * (uint8_t)((uint32_t)b >> i);
    return sum;
}
INTEGER_LOOP(plain, , int32_t, as_it_is, dot_plain, largest_of)
#endif

extern const struct peak_kernels LEVEL_NAME(peak_kernels);
const struct peak_kernels LEVEL_NAME(peak_kernels) = {
    .floats = peak_floats,
    .integers =
        {
            {"plain", peak_plain},
#if QUANT_LANES == 16
            {"vnni", peak_vnni},
#elif defined(HAVE_DOTPROD)
            {"dotprod", peak_dotprod},
#endif
        },
};
