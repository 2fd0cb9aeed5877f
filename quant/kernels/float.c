/* Types that hold numbers and no blocks. */
#include "quant/kernels/formats.h"
#include "quant/kernels/lanes.h"
#include "quant/fp.h"

#include <string.h>
#if defined(QUANT_NEON)
#include <arm_neon.h>
#endif

QUANT_DECODER(f32)
{
    memcpy(out, blocks, n * sizeof *out);
}

QUANT_ENCODER(f32, any)
{
    (void)importance;
    memcpy(blocks, x, n * sizeof *x);
}

/* What is too large for half precision becomes its largest finite value: an infinity
 * would make the model useless.
 *
 * Eight at a time or four, for which compilers do not find the instructions. Returns how many
 * it did. */
#if defined(__F16C__)
static size_t floats_to_halves(const float *x, uint16_t *halves, size_t n)
{
    const __m256 limit = _mm256_set1_ps(FP16_MAX), low = _mm256_set1_ps(-FP16_MAX);
    size_t i = 0;
    for (; i + 8 <= n; i += 8) {
        __m256 v = _mm256_min_ps(limit, _mm256_max_ps(low, _mm256_loadu_ps(x + i)));
        _mm_storeu_si128((void *)(halves + i), _mm256_cvtps_ph(v, _MM_FROUND_TO_NEAREST_INT));
    }
    return i;
}
#elif defined(QUANT_NEON)
static size_t floats_to_halves(const float *x, uint16_t *halves, size_t n)
{
    const float32x4_t limit = vdupq_n_f32(FP16_MAX), low = vdupq_n_f32(-FP16_MAX);
    size_t i = 0;
    for (; i + 4 <= n; i += 4) {
        float32x4_t v = vminq_f32(limit, vmaxq_f32(low, vld1q_f32(x + i)));
        vst1_u16(halves + i, vreinterpret_u16_f16(vcvt_f16_f32(v)));
    }
    return i;
}
#else
static size_t floats_to_halves(const float *x, uint16_t *halves, size_t n)
{
    (void)x, (void)halves, (void)n;
    return 0;
}
#endif

QUANT_DECODER(f16)
{
    const uint16_t *b = blocks;
    size_t i = 0;
    for (; i + QUANT_LANES <= n; i += QUANT_LANES)
        lanes_store(out + i, lanes_load_half(b + i));
    for (; i < n; i++)
        out[i] = fp16_to_float(b[i]);
}

QUANT_ENCODER(f16, any)
{
    uint16_t *b = blocks;
    (void)importance;
    for (size_t i = floats_to_halves(x, b, n); i < n; i++) {
        float v = x[i] > FP16_MAX ? FP16_MAX : x[i] < -FP16_MAX ? -FP16_MAX : x[i];
        b[i] = fp16_from_float(v);
    }
}

QUANT_DECODER(bf16)
{
    const uint16_t *b = blocks;
    for (size_t i = 0; i < n; i++)
        out[i] = bf16_to_float(b[i]);
}

/* As for half precision: 0x7f7f is the largest finite value. */
QUANT_ENCODER(bf16, any)
{
    uint16_t *b = blocks;
    (void)importance;
    for (size_t i = 0; i < n; i++) {
        uint16_t v = bf16_from_float(x[i]);
        b[i] = (v & 0x7fff) == 0x7f80 ? (uint16_t)((v & 0x8000) | 0x7f7f) : v;
    }
}

/* Integers and doubles are rounded to the nearest float. */
#define DECODE_NUMBERS(name, ctype)                                                            \
    QUANT_DECODER(name)                                                                        \
    {                                                                                          \
        for (size_t i = 0; i < n; i++) {                                                       \
            ctype v;                                                                           \
            memcpy(&v, (const char *)blocks + i * sizeof v, sizeof v);                         \
            out[i] = (float)v;                                                                 \
        }                                                                                      \
    }
DECODE_NUMBERS(f64, double)
DECODE_NUMBERS(i8, int8_t)
DECODE_NUMBERS(i16, int16_t)
DECODE_NUMBERS(i32, int32_t)
DECODE_NUMBERS(i64, int64_t)
