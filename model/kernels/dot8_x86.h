/*
 * Products of bytes with AVX2 and AVX-512. VPMADDUBSW multiplies unsigned with signed bytes and
 * adds pairs of products in 16 bits, which 127 * 127 * 2 does not fill; wide levels are taken
 * as signed, level - 128, their sign moved to the activation: 128 * 127 * 2 = 32512 fits.
 * VPDPBUSD adds in 32 bits and takes levels as they are. Inside model/kernels/dot8.c only.
 */
#include <immintrin.h>

/* Sums of four products, of 32 bytes. */
DOT_OP __m256i dot_256(__m256i w, __m256i x, bool wide)
{
    if (wide) {
        w = _mm256_xor_si256(w, _mm256_set1_epi8(-128));
        x = _mm256_sign_epi8(x, w);
        w = _mm256_abs_epi8(w);
    }
    return _mm256_madd_epi16(_mm256_maddubs_epi16(w, x), _mm256_set1_epi16(1));
}

/* Sums of four of 128 products become values of the sub-blocks from b on, 4 or 8 of them. */
DOT_OP void put_values(const struct kernel_row8 *t, const __m256i quads[4], size_t b)
{
    /* [A B C D | a b c d]: capitals the first 16 products of each vector */
    __m256i halves = _mm256_hadd_epi32(_mm256_hadd_epi32(quads[0], quads[1]),
                                       _mm256_hadd_epi32(quads[2], quads[3]));
    __m128i low = _mm256_castsi256_si128(halves), high = _mm256_extracti128_si256(halves, 1);
    const int32_t *start = t->start + b;
    if (t->sub == 32) {
        __m128i sums = _mm_add_epi32(_mm_add_epi32(low, high),
                                     _mm_loadu_si128((const __m128i *)(const void *)start));
        __m128 values = _mm_mul_ps(_mm_cvtepi32_ps(sums), _mm_loadu_ps(t->scale + b));
        _mm_storeu_ps(t->values + b, values);
        return;
    }
    __m256i sums =
        _mm256_set_m128i(_mm_unpackhi_epi32(low, high), _mm_unpacklo_epi32(low, high));
    sums = _mm256_add_epi32(sums, _mm256_loadu_si256((const __m256i *)(const void *)start));
    __m256 values = _mm256_mul_ps(_mm256_cvtepi32_ps(sums), _mm256_loadu_ps(t->scale + b));
    _mm256_storeu_ps(t->values + b, values);
}

#if QUANT_LANES == 8
typedef __m256i ints;
struct quads_plain {
    __m256i size, sign; /* sign: of wide levels alone */
};

DOT_OP ints ints_all(int32_t v)
{
    return _mm256_set1_epi32(v);
}

DOT_OP lanes ints_to_lanes(ints v)
{
    return _mm256_cvtepi32_ps(v);
}

DOT_OP struct quads_plain quads_load_plain(const uint8_t *w, bool wide)
{
    struct quads_plain q = {_mm256_loadu_si256((const __m256i *)(const void *)w),
                            _mm256_setzero_si256()};
    if (wide) {
        q.sign = _mm256_xor_si256(q.size, _mm256_set1_epi8(-128));
        q.size = _mm256_abs_epi8(q.sign);
    }
    return q;
}

DOT_OP ints quads_dot_plain(ints sums, const struct quads_plain *w, const int8_t *x, bool wide)
{
    __m256i input = _mm256_set1_epi32(four_bytes(x));
    if (wide)
        input = _mm256_sign_epi8(input, w->sign);
    __m256i pairs = _mm256_maddubs_epi16(w->size, input);
    return _mm256_add_epi32(sums, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
}
#else
typedef __m512i ints;
struct quads_plain {
    __m512i size;
    __mmask64 negative; /* wide levels alone */
};

DOT_OP ints ints_all(int32_t v)
{
    return _mm512_set1_epi32(v);
}

DOT_OP lanes ints_to_lanes(ints v)
{
    return _mm512_cvtepi32_ps(v);
}

DOT_OP struct quads_plain quads_load_plain(const uint8_t *w, bool wide)
{
    struct quads_plain q = {_mm512_loadu_si512(w), 0};
    if (wide) {
        q.size = _mm512_xor_si512(q.size, _mm512_set1_epi8(-128));
        q.negative = _mm512_movepi8_mask(q.size);
        q.size = _mm512_abs_epi8(q.size);
    }
    return q;
}

DOT_OP ints quads_dot_plain(ints sums, const struct quads_plain *w, const int8_t *x, bool wide)
{
    __m512i input = _mm512_set1_epi32(four_bytes(x));
    if (wide)
        input = _mm512_mask_sub_epi8(input, w->negative, _mm512_setzero_si512(), input);
    __m512i pairs = _mm512_maddubs_epi16(w->size, input);
    return _mm512_add_epi32(sums, _mm512_madd_epi16(pairs, _mm512_set1_epi16(1)));
}
#endif

DOT_OP __m256i load_256(const void *bytes)
{
    return _mm256_loadu_si256((const __m256i *)bytes);
}

/* The values of 128 columns, from sub-block b on. */
DOT_OP void values_128_plain(const struct kernel_row8 *t, bool wide, size_t b)
{
    const uint8_t *w = t->w + b * t->sub;
    const int8_t *x = t->x + b * t->sub;
    __m256i quads[4];
    for (size_t i = 0; i < 4; i++)
        quads[i] = dot_256(load_256(w + i * 32), load_256(x + i * 32), wide);
    put_values(t, quads, b);
}

#if QUANT_LANES == 16
#define VNNI    __attribute__((target("avx512vnni")))
#define VNNI_OP VNNI DOT_OP

struct quads_vnni {
    __m512i bytes;
};

VNNI_OP struct quads_vnni quads_load_vnni(const uint8_t *w, bool wide)
{
    (void)wide;
    return (struct quads_vnni){_mm512_loadu_si512(w)};
}

VNNI_OP ints quads_dot_vnni(ints sums, const struct quads_vnni *w, const int8_t *x, bool wide)
{
    (void)wide;
    return _mm512_dpbusd_epi32(sums, w->bytes, _mm512_set1_epi32(four_bytes(x)));
}

VNNI_OP void values_128_vnni(const struct kernel_row8 *t, bool wide, size_t b)
{
    const uint8_t *w = t->w + b * t->sub;
    const int8_t *x = t->x + b * t->sub;
    __m256i quads[4];
    (void)wide;
    for (size_t i = 0; i < 4; i++)
        quads[i] = _mm256_dpbusd_epi32(_mm256_setzero_si256(), load_256(w + i * 32),
                                       load_256(x + i * 32));
    put_values(t, quads, b);
}
#endif
