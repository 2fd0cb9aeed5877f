/* Sums of squares and the check for numbers: see quant/measure.h. */
#include "quant/cpu.h"
#include "quant/kernels/level.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

/* Element i of a piece goes to lane i % LANES; the lanes are added in a fixed order. A lane is
 * a double, a register holds VECTOR of them. */
#define LANES 16
#define PIECE QUANT_MEASURE_PIECE

#ifdef __AVX2__
#include <immintrin.h>
#endif

#if defined(__AVX512F__)
#define VECTOR 8
#elif defined(__AVX2__)
#define VECTOR 4
#else
#define VECTOR 2
#endif
typedef float floats __attribute__((vector_size(VECTOR * sizeof(float))));
typedef double doubles __attribute__((vector_size(VECTOR * sizeof(double))));

_Static_assert(PIECE % LANES == 0, "a piece fills the lanes");

/* gcc 12 converts lane pairs one by one unless told. */
static inline doubles load(const float *x)
{
#if defined(__AVX512F__)
    return (doubles)_mm512_cvtps_pd(_mm256_loadu_ps(x));
#elif defined(__AVX2__)
    return (doubles)_mm256_cvtps_pd(_mm_loadu_ps(x));
#else
    floats v;
    memcpy(&v, x, sizeof v);
    return __builtin_convertvector(v, doubles);
#endif
}

/* Lane l takes lane l + 8, then l + 4, l + 2, l + 1. */
static inline double add_lanes(doubles lanes[LANES / VECTOR])
{
    double lane[VECTOR];
    for (size_t width = LANES / VECTOR / 2; width; width /= 2)
        for (size_t l = 0; l < width; l++)
            lanes[l] += lanes[l + width];
    memcpy(lane, lanes, sizeof lane);
    for (size_t width = VECTOR / 2; width; width /= 2)
        for (size_t l = 0; l < width; l++)
            lane[l] += lane[l + width];
    return lane[0];
}

static void add_piece(struct quant_sums *sums, const float *restrict x, const float *restrict y)
{
    doubles error[LANES / VECTOR] = {{0}}, energy[LANES / VECTOR] = {{0}};
    for (size_t i = 0; i < PIECE; i += LANES)
        for (size_t l = 0; l < LANES / VECTOR; l++) {
            doubles v = load(x + i + l * VECTOR), r = v - load(y + i + l * VECTOR);
            error[l] += r * r;
            energy[l] += v * v;
        }
    sums->error += add_lanes(error);
    sums->energy += add_lanes(energy);
}

/* A piece that is not full; the zeros add nothing. */
static void add_rest(struct quant_sums *sums, const float *restrict x, const float *restrict y,
                     size_t n)
{
    float rest[2][PIECE] = {{0}};
    memcpy(rest[0], x, n * sizeof *x);
    memcpy(rest[1], y, n * sizeof *y);
    add_piece(sums, rest[0], rest[1]);
}

static void add(struct quant_sums *sums, const float *restrict x, const float *restrict y,
                size_t n)
{
    for (; n >= PIECE; n -= PIECE, x += PIECE, y += PIECE)
        add_piece(sums, x, y);
    if (n > 0)
        add_rest(sums, x, y, n);
}

/* All bits of the exponent set: infinity or NaN. */
static uint32_t has_special(const uint32_t *bits, size_t n)
{
    uint32_t any = 0;
    for (size_t i = 0; i < n; i++)
        any |= (bits[i] & 0x7f800000u) == 0x7f800000u;
    return any;
}

static size_t find_not_finite(const float *x, size_t n)
{
    uint32_t bits[PIECE];
    for (size_t i = 0; i < n; i += PIECE) {
        size_t piece = n - i < PIECE ? n - i : PIECE;
        memcpy(bits, x + i, piece * sizeof *x);
        if (!has_special(bits, piece))
            continue;
        while (isfinite(x[i]))
            i++;
        return i;
    }
    return SIZE_MAX;
}

const struct quant_measure LEVEL_NAME(quant_measure) = {add, find_not_finite};
