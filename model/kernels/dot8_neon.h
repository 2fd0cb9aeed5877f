/*
 * Products of bytes with NEON: levels are taken as signed, level - 128. Plain: products in 16
 * bits, added in pairs, 128 * 127 * 2 = 32512 at most. With the extension dotprod: SDOT.
 * Inside model/kernels/dot8.c only.
 */
#include <sys/auxv.h>

typedef int32x4_t ints;

DOT_OP ints ints_all(int32_t v)
{
    return vdupq_n_s32(v);
}

DOT_OP lanes ints_to_lanes(ints v)
{
    return vcvtq_f32_s32(v);
}

DOT_OP int8x16_t signed_levels(const uint8_t *w)
{
    return vreinterpretq_s8_u8(veorq_u8(vld1q_u8(w), vdupq_n_u8(0x80)));
}

/* Sums of 16 of 64 products, from sums of four. */
DOT_OP int32x4_t add_64(const int32x4_t quads[4])
{
    return vpaddq_s32(vpaddq_s32(quads[0], quads[1]), vpaddq_s32(quads[2], quads[3]));
}

DOT_OP void put_four(const struct kernel_row8 *t, int32x4_t sums, size_t b)
{
    sums = vaddq_s32(sums, vld1q_s32(t->start + b));
    vst1q_f32(t->values + b, vmulq_f32(vcvtq_f32_s32(sums), vld1q_f32(t->scale + b)));
}

/* Sums of four of 128 products become values of the sub-blocks from b on, 4 or 8 of them. */
DOT_OP void put_values(const struct kernel_row8 *t, const int32x4_t quads[8], size_t b)
{
    int32x4_t first = add_64(quads), second = add_64(quads + 4);
    if (t->sub == 32) {
        put_four(t, vpaddq_s32(first, second), b);
        return;
    }
    put_four(t, first, b);
    put_four(t, second, b + 4);
}

/* sums += products of four bytes each */
DOT_OP int32x4_t add_plain(int32x4_t sums, int8x16_t w, int8x16_t x)
{
    int16x8_t low = vmull_s8(vget_low_s8(w), vget_low_s8(x)), high = vmull_high_s8(w, x);
    return vpadalq_s16(sums, vpaddq_s16(low, high));
}

/* gcc takes the extension for single functions, clang 14 for whole files alone. */
#if defined(__ARM_FEATURE_DOTPROD)
#define HAVE_DOTPROD
#define DOTPROD
#elif !defined(__clang__)
#define HAVE_DOTPROD
#define DOTPROD __attribute__((target("arch=armv8.2-a+dotprod")))
#endif

/* The operations of dot8_tile.h. */
#define NEON_OPS(target, name)                                                                 \
    struct quads_##name {                                                                      \
        int8x16_t bytes;                                                                       \
    };                                                                                         \
    target struct quads_##name quads_load_##name(const uint8_t *w, bool wide)                  \
    {                                                                                          \
        (void)wide;                                                                            \
        return (struct quads_##name){signed_levels(w)};                                        \
    }                                                                                          \
    target ints quads_dot_##name(ints sums, const struct quads_##name *w, const int8_t *x,     \
                                 bool wide)                                                    \
    {                                                                                          \
        (void)wide;                                                                            \
        return add_##name(sums, w->bytes, vreinterpretq_s8_s32(vdupq_n_s32(four_bytes(x))));   \
    }                                                                                          \
    target void values_128_##name(const struct kernel_row8 *t, bool wide, size_t b)            \
    {                                                                                          \
        const uint8_t *w = t->w + b * t->sub;                                                  \
        const int8_t *x = t->x + b * t->sub;                                                   \
        int32x4_t quads[8];                                                                    \
        (void)wide;                                                                            \
        for (size_t i = 0; i < 8; i++)                                                         \
            quads[i] =                                                                         \
                add_##name(vdupq_n_s32(0), signed_levels(w + i * 16), vld1q_s8(x + i * 16));   \
        put_values(t, quads, b);                                                               \
    }
NEON_OPS(DOT_OP, plain)

#ifdef HAVE_DOTPROD
#define DOTPROD_OP DOTPROD DOT_OP

DOTPROD_OP int32x4_t add_dotprod(int32x4_t sums, int8x16_t w, int8x16_t x)
{
    return vdotq_s32(sums, w, x);
}
NEON_OPS(DOTPROD_OP, dotprod)
#endif
