/*
 * Sixteen small integers at a time, a byte each: what the decoders need to take levels out
 * of their packing and to make floats of them. Every operation is written here once for each
 * kind of processor where compilers do not find the instruction by themselves. The type is
 * gcc's and clang's vector extension: + - & | ^ ~ work byte by byte. Inside kernels/ only.
 */
#ifndef QUANT_KERNELS_BYTES_H
#define QUANT_KERNELS_BYTES_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>
#if defined(__AVX2__)
#include <immintrin.h>
#elif defined(QUANT_NEON)
#include <arm_neon.h>
#endif

#define BYTES 16
typedef uint8_t bytes16 __attribute__((vector_size(BYTES)));
typedef uint16_t words8 __attribute__((vector_size(BYTES)));
typedef uint32_t words4 __attribute__((vector_size(BYTES)));
typedef uint64_t words2 __attribute__((vector_size(BYTES)));

static inline bytes16 bytes_load(const void *p)
{
    bytes16 v;
    memcpy(&v, p, sizeof v);
    return v;
}

static inline void bytes_store(void *p, bytes16 v)
{
    memcpy(p, &v, sizeof v);
}

/* ---- Fields of bits --------------------------------------------------------------------- */

/* (v[i] >> shift) & mask, where the mask leaves out what the neighbour shifts in */
static inline bytes16 bytes_field(bytes16 v, unsigned shift, unsigned mask)
{
    return (bytes16)((words8)v >> (uint16_t)shift) & (uint8_t)mask;
}

/* v[i] << shift, where no v[i] is so large that it loses bits */
static inline bytes16 bytes_raise(bytes16 v, unsigned shift)
{
    return (bytes16)((words8)v << (uint16_t)shift);
}

/* table[v[i]]; v[i] < 16 */
static inline bytes16 bytes_lookup(bytes16 table, bytes16 v)
{
#if defined(__AVX2__)
    return (bytes16)_mm_shuffle_epi8((__m128i)table, (__m128i)v);
#elif defined(QUANT_NEON)
    return (bytes16)vqtbl1q_u8((uint8x16_t)table, (uint8x16_t)v);
#else
    uint8_t from[BYTES], at[BYTES], out[BYTES];
    bytes_store(from, table);
    bytes_store(at, v);
    for (size_t i = 0; i < BYTES; i++)
        out[i] = from[at[i]];
    return bytes_load(out);
#endif
}

/* Bit i is the highest bit of v[i]. */
static inline uint32_t bytes_high_bits(bytes16 v)
{
#if defined(__AVX2__)
    return (uint32_t)_mm_movemask_epi8((__m128i)v);
#else
    /* One bit of the factor brings bit 8 j to bit 56 + j. */
    const uint64_t everywhere = 0x0101010101010101, factor = 0x0102040810204080;
    const words2 bit = (words2)v >> 7 & everywhere;
    return (uint32_t)(bit[0] * factor >> 56 | bit[1] * factor >> 56 << 8);
#endif
}

/* 0xff where bit i is set, else 0 */
static inline bytes16 bytes_of_bits(uint32_t bits)
{
#if defined(__AVX512BW__) && defined(__AVX512VL__)
    return (bytes16)_mm_movm_epi8((__mmask16)bits);
#else
    const bytes16 bit = {1, 2, 4, 8, 16, 32, 64, 128, 1, 2, 4, 8, 16, 32, 64, 128};
    const uint64_t everywhere = 0x0101010101010101;
    const words2 v = {(bits & 0xff) * everywhere, (bits >> 8 & 0xff) * everywhere};
    return (bytes16)(((bytes16)v & bit) == bit);
#endif
}

/* The low nibbles of eight bytes, then the high ones. */
static inline bytes16 bytes_of_nibbles(const uint8_t eight[8])
{
    uint64_t v;
    memcpy(&v, eight, sizeof v);
    const words2 nibbles = {v & 0x0f0f0f0f0f0f0f0f, v >> 4 & 0x0f0f0f0f0f0f0f0f};
    return (bytes16)nibbles;
}

/* The pairs of bits of four bytes, the lowest first, as 0..3. */
static inline bytes16 bytes_of_pairs(const uint8_t four[4])
{
    words4 word = {four[0], four[1], four[2], four[3]};
    word = (word | word << 12) & 0x000f000f;
    return (bytes16)((word | word << 6) & 0x03030303);
}

/* -v[i] where negative[i] is 0xff, v[i] where it is 0 */
static inline bytes16 bytes_negate(bytes16 v, bytes16 negative)
{
    return (v ^ negative) - negative;
}

/* ---- Floats: out[i] = scale * (int8_t)level[i] (+ offset) --------------------------- */

#if defined(__AVX512F__)
#define WIDTH 16
typedef float floats __attribute__((vector_size(4 * WIDTH)));

static inline floats floats_of_part(bytes16 v, size_t part)
{
    (void)part;
    return (floats)_mm512_cvtepi32_ps(_mm512_cvtepi8_epi32((__m128i)v));
}
#elif defined(__AVX2__)
#define WIDTH 8
typedef float floats __attribute__((vector_size(4 * WIDTH)));

static inline floats floats_of_part(bytes16 v, size_t part)
{
    __m128i low = part == 0 ? (__m128i)v : _mm_unpackhi_epi64((__m128i)v, (__m128i)v);
    return (floats)_mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(low));
}
#elif defined(QUANT_NEON)
#define WIDTH 4
typedef float floats __attribute__((vector_size(4 * WIDTH)));

static inline floats floats_of_part(bytes16 v, size_t part)
{
    int8x16_t levels = (int8x16_t)v;
    int16x8_t half = part < 2 ? vmovl_s8(vget_low_s8(levels)) : vmovl_high_s8(levels);
    int32x4_t quarter = part % 2 ? vmovl_high_s16(half) : vmovl_s16(vget_low_s16(half));
    return (floats)vcvtq_f32_s32(quarter);
}
#endif

#ifdef WIDTH
static inline void put_scaled(bytes16 level, float scale, float *out)
{
    for (size_t part = 0; part < BYTES / WIDTH; part++) {
        floats y = floats_of_part(level, part) * scale;
        memcpy(out + part * WIDTH, &y, sizeof y);
    }
}

static inline void put_line(bytes16 level, float scale, float offset, float *out)
{
    for (size_t part = 0; part < BYTES / WIDTH; part++) {
        floats y = floats_of_part(level, part) * scale + offset;
        memcpy(out + part * WIDTH, &y, sizeof y);
    }
}
#else
static inline void put_scaled(bytes16 level, float scale, float *out)
{
    int8_t v[BYTES];
    memcpy(v, &level, sizeof v);
    for (size_t i = 0; i < BYTES; i++)
        out[i] = (float)v[i] * scale;
}

static inline void put_line(bytes16 level, float scale, float offset, float *out)
{
    int8_t v[BYTES];
    memcpy(v, &level, sizeof v);
    for (size_t i = 0; i < BYTES; i++)
        out[i] = (float)v[i] * scale + offset;
}
#endif

#endif
