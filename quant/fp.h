/* Conversions between float and the small floating-point formats, bit-exact on every
 * machine, with the instructions of the processor or without. Rounding is to nearest even. */
#ifndef QUANT_FP_H
#define QUANT_FP_H

#include <stdint.h>
#include <string.h>
#if defined(__F16C__)
#include <immintrin.h>
#endif

static inline float fp_from_bits(uint32_t bits)
{
    float f;
    memcpy(&f, &bits, sizeof f);
    return f;
}

static inline uint32_t fp_to_bits(float f)
{
    uint32_t bits;
    memcpy(&bits, &f, sizeof bits);
    return bits;
}

#define FP16_MAX 65504.0f /* the largest half that is finite */

/*
 * Half precision to float. The exponent is moved into place by integer shifts and the
 * bias corrected by an addition; subnormals go through the magic number 2^-14, whose
 * subtraction normalises them. No branches, for compilers to vectorise. A NaN becomes quiet and
 * keeps its payload, as with the instructions.
 */
static inline float fp16_to_float(uint16_t h)
{
#if defined(__F16C__)
    return _cvtsh_ss(h);
#elif defined(QUANT_NEON)
    __fp16 half;
    memcpy(&half, &h, sizeof half);
    return (float)half;
#else
    uint32_t sign = (uint32_t)(h & 0x8000u) << 16;
    uint32_t rest = (uint32_t)(h & 0x7fffu) << 13;
    uint32_t exponent = rest & 0x0f800000u, quiet = rest > 0x0f800000u ? 0x400000u : 0;
    float small = fp_from_bits(rest + 0x38800000u) - fp_from_bits(0x38800000u);
    uint32_t normal = rest + 0x38000000u, special = rest | quiet | 0x7f800000u;
    uint32_t regular = exponent == 0 ? fp_to_bits(small) : normal;
    return fp_from_bits(sign | (exponent == 0x0f800000u ? special : regular));
#endif
}

/* Float to half precision. Too large becomes infinity; NaN becomes quiet and keeps the upper
 * bits of its payload. */
static inline uint16_t fp16_from_float(float f)
{
#if defined(__F16C__)
    return _cvtss_sh(f, _MM_FROUND_TO_NEAREST_INT);
#elif defined(QUANT_NEON)
    __fp16 half = (__fp16)f;
    uint16_t h;
    memcpy(&h, &half, sizeof h);
    return h;
#else
    uint32_t bits = fp_to_bits(f);
    uint32_t sign = (bits >> 16) & 0x8000u;
    uint32_t mag = bits & 0x7fffffffu;
    if (mag > 0x7f800000u)
        return (uint16_t)(sign | 0x7e00u | (mag >> 13 & 0x1ffu));
    if (mag >= 0x477ff000u) /* rounds to 65536 or more */
        return (uint16_t)(sign | 0x7c00u);
    if (mag < 0x38800000u) { /* below 2^-14: adding 0.5 leaves a multiple of 2^-24 */
        float shifted = fp_from_bits(mag) + 0.5f;
        return (uint16_t)(sign | (fp_to_bits(shifted) - 0x3f000000u));
    }
    uint32_t odd = (mag >> 13) & 1u;
    return (uint16_t)(sign | ((mag - 0x38000000u + 0xfffu + odd) >> 13));
#endif
}

static inline float bf16_to_float(uint16_t h)
{
    return fp_from_bits((uint32_t)h << 16);
}

static inline uint16_t bf16_from_float(float f)
{
    uint32_t bits = fp_to_bits(f);
    if ((bits & 0x7fffffffu) > 0x7f800000u)
        return (uint16_t)((bits >> 16) | 0x40u); /* NaN stays NaN, quiet */
    return (uint16_t)((bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16);
}

/* E8M0, the scale of MXFP4: 2^(e-127). `half` gives 2^(e-128), as the table of FP4
 * values is stored doubled. */
static inline float e8m0_half_to_float(uint8_t e)
{
    if (e < 2) /* subnormal floats: 2^-128, 2^-127 */
        return fp_from_bits(0x00200000u << e);
    return fp_from_bits((uint32_t)(e - 1) << 23);
}

/* UE4M3, the scale of NVFP4, halved for the same reason: four bits of exponent (bias 7) and
 * three of mantissa. Bit 7 is ignored; 0x7f, NaN in the standard, is 0 as engines have it (but
 * 0xff is a number). */
static inline float ue4m3_half_to_float(uint8_t d)
{
    int exponent = d >> 3 & 0xf, mantissa = d & 7;
    if (d == 0x7f)
        return 0;
    if (exponent == 0)
        return (float)mantissa * 0x1p-10f;
    return (float)(8 + mantissa) * fp_from_bits((uint32_t)(exponent - 11 + 127) << 23);
}

#endif
