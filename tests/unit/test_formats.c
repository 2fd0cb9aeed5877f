/* Every format against the golden values of the peer, and every encoder against rounding
 * to nearest on ordinary and extreme rows. */
#include "quant/quant.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <cmocka.h>

#define GOLDEN  "../shared/golden/"
#define ROWS    48
#define COLUMNS 512
#define CLASSES 12

/* ---- Files ----------------------------------------------------------------------------- */

/* The whole of a golden file, or NULL. */
static void *load(const char *type, const char *suffix, size_t *size)
{
    char path[256];
    snprintf(path, sizeof path, GOLDEN "%s%s", type, suffix);
    FILE *f = fopen(path, "rb");
    if (!f)
        return NULL;
    fseek(f, 0, SEEK_END);
    *size = (size_t)ftell(f);
    rewind(f);
    void *data = malloc(*size);
    assert_int_equal(fread(data, 1, *size, f), *size);
    fclose(f);
    return data;
}

static void need_golden(void)
{
    size_t size;
    void *data = load("input", ".f32", &size);
    if (!data)
        skip();
    free(data);
}

/* File names are the types' names in lower case but for the K of the K-quants. */
static const char *file_name(const char *name, char out[32])
{
    size_t n = strlen(name);
    for (size_t i = 0; i <= n; i++)
        out[i] = (char)(name[i] >= 'A' && name[i] <= 'Z' && !(name[i] == 'K' && i == n - 1)
                            ? name[i] + 32
                            : name[i]);
    return out;
}

/* ---- Decoders ------------------------------------------------------------------------- */

static void assert_same_bits(const float *a, const float *b, size_t n, const char *what)
{
    for (size_t i = 0; i < n; i++) {
        bool same = memcmp(&a[i], &b[i], sizeof *a) == 0 || (isnan(a[i]) && isnan(b[i]));
        if (!same)
            fail_msg("%s: element %zu is %.9g, expected %.9g", what, i, (double)a[i],
                     (double)b[i]);
    }
}

static bool check_decoding(const char *name, const struct quant_format *format,
                           const char *blocks_suffix, const char *floats_suffix)
{
    char file[32];
    size_t size, floats_size;
    void *blocks = load(file_name(name, file), blocks_suffix, &size);
    float *expected = blocks ? load(file, floats_suffix, &floats_size) : NULL;
    if (!expected) {
        free(blocks);
        return false;
    }
    size_t n = floats_size / sizeof *expected;
    uint64_t bytes;
    assert_true(gguf_type_bytes(format->type, n, &bytes));
    assert_int_equal(bytes, size);
    float *found = malloc(floats_size);
    format->decode(blocks, found, n);
    assert_same_bits(found, expected, n, name);
    free(found);
    free(expected);
    free(blocks);
    return true;
}

static void check_decoders(enum quant_cpu cpu)
{
    int reference = 0, random = 0;
    for (size_t i = 0; gguf_type_at(i); i++) {
        const struct gguf_type_info *info = gguf_type_at(i);
        const struct quant_format *format = quant_format_at(info->id, cpu);
        if (!format || info->origin != GGUF_TYPE_CURRENT)
            continue;
        reference += check_decoding(info->name, format, ".ref.q", ".deq.f32") ||
                     check_decoding(info->name, format, ".im.q", ".deq.f32");
        random += check_decoding(info->name, format, ".rand.q", ".rand.f32");
    }
    assert_int_equal(reference, 25);
    assert_int_equal(random, 25);
}

static void decoding_is_bit_exact(void **state)
{
    (void)state;
    need_golden();
    for (int cpu = 0; quant_cpu_name((enum quant_cpu)cpu); cpu++) {
        if (quant_cpu_runs((enum quant_cpu)cpu))
            check_decoders((enum quant_cpu)cpu);
    }
}

static void every_block_type_has_a_decoder(void **state)
{
    (void)state;
    for (size_t i = 0; gguf_type_at(i); i++) {
        const struct gguf_type_info *info = gguf_type_at(i);
        assert_int_equal(quant_format_find(info->id) != NULL,
                         info->origin == GGUF_TYPE_CURRENT);
    }
}

/* ---- Encoders against the peer -------------------------------------------------------- */

static double row_error(const float *x, const float *y, const float *w)
{
    double error = 0;
    for (size_t i = 0; i < COLUMNS; i++) {
        double r = (double)x[i] - (double)y[i];
        error += (w ? (double)w[i] : 1) * r * r;
    }
    return error;
}

/* Error sums of our encoding and of the peer's, a row class each. */
static void class_errors(const struct quant_format *format, const float *input, const float *w,
                         const unsigned char *peer, double ours[CLASSES],
                         double theirs[CLASSES])
{
    uint64_t bytes;
    float y[COLUMNS];
    assert_true(gguf_type_bytes(format->type, COLUMNS, &bytes));
    void *blocks = malloc(bytes);
    for (size_t r = 0; r < ROWS; r++) {
        const float *x = input + r * COLUMNS;
        format->encode(x, blocks, COLUMNS, w);
        format->decode(blocks, y, COLUMNS);
        ours[r % CLASSES] += row_error(x, y, w);
        format->decode(peer + r * bytes, y, COLUMNS);
        theirs[r % CLASSES] += row_error(x, y, w);
    }
    free(blocks);
}

static void check_against_peer(const char *name, const struct quant_format *format,
                               const float *input, const float *w)
{
    char file[32];
    size_t size;
    unsigned char *peer = load(file_name(name, file), w ? ".im.q" : ".ref.q", &size);
    double ours[CLASSES] = {0}, theirs[CLASSES] = {0};
    if (!peer)
        return;
    class_errors(format, input, w, peer, ours, theirs);
    for (size_t c = 0; c < CLASSES; c++) {
        if (ours[c] > theirs[c] * (1 + 1e-6))
            fail_msg("%s, class %zu%s: squared error %.6g, the peer's is %.6g (%+.2f %% RMSE)",
                     name, c, w ? ", imatrix" : "", ours[c], theirs[c],
                     100 * (sqrt(ours[c] / theirs[c]) - 1));
    }
    free(peer);
}

static void encoding_is_not_worse_than_the_peer(void **state)
{
    (void)state;
    need_golden();
    size_t size;
    float *input = load("input", ".f32", &size);
    float *importance = load("imatrix", ".f32", &size);
    for (size_t i = 0; gguf_type_at(i); i++) {
        const struct gguf_type_info *info = gguf_type_at(i);
        const struct quant_format *format = quant_format_find(info->id);
        if (!format || !format->encode)
            continue;
        check_against_peer(info->name, format, input, NULL);
        check_against_peer(info->name, format, input, importance);
    }
    free(input);
    free(importance);
}

/* ---- Rows of every kind --------------------------------------------------------------- */

static double next_uniform(uint64_t *seed)
{
    *seed = *seed * 6364136223846793005u + 1442695040888963407u;
    return ((double)(*seed >> 11) + 0.5) / 9007199254740992.0;
}

static double next_gaussian(uint64_t *seed)
{
    double radius = sqrt(-2 * log(next_uniform(seed)));
    return radius * cos(6.283185307179586 * next_uniform(seed));
}

enum row_kind {
    ROW_GAUSSIAN,
    ROW_HEAVY_TAILS,
    ROW_OUTLIERS,
    ROW_POSITIVE,
    ROW_CONSTANT,
    ROW_ZERO,
    ROW_TINY, /* scales are subnormal halves, or none */
    ROW_SMALL,
    ROW_LARGE,
    ROW_RAMP,
    ROW_PEAKS, /* one large element in 32 */
    ROW_TOO_LARGE,
    ROW_LONE,
    ROW_VANISHING,
    ROW_TWO_VALUES,
    ROW_TERNARY,
    ROW_WIDE, /* from far below to far above what a half scale holds */
    ROW_FAR,
    ROW_MINUTE, /* squares vanish in float */
    ROW_KINDS
};

/* Element i of a row, from a number of the normal distribution. */
static double element(enum row_kind kind, size_t i, double g)
{
    const double of_kind[ROW_KINDS] = {
        [ROW_GAUSSIAN] = 0.02 * g,
        [ROW_HEAVY_TAILS] = 0.01 * g * fabs(g),
        [ROW_OUTLIERS] = i % 97 == 5 ? 3 * g : 0.02 * g,
        [ROW_POSITIVE] = 0.01 + fabs(g),
        [ROW_CONSTANT] = 0.37,
        [ROW_ZERO] = 0,
        [ROW_TINY] = 1e-7 * g,
        [ROW_SMALL] = 1e-5 * g,
        [ROW_LARGE] = 300 * g,
        [ROW_RAMP] = (double)i / COLUMNS,
        [ROW_PEAKS] = i % 32 == 7 ? 1 : 0.001 * g,
        [ROW_TOO_LARGE] = 1e5 * g,
        [ROW_LONE] = i == 3 ? -2 : 0,
        [ROW_VANISHING] = 1e-30 * g,
        [ROW_TWO_VALUES] = i % 2 ? 0.5 : -0.5,
        [ROW_TERNARY] = g > 0.5    ? 0.043
                        : g < -0.5 ? -0.043
                                   : 0,
        [ROW_WIDE] = g * exp(12 * g),
        [ROW_FAR] = 1e11 * g,
        [ROW_MINUTE] = 1e-22 * fabs(g),
    };
    return of_kind[kind];
}

static void make_row(enum row_kind kind, uint64_t seed, float *x)
{
    for (size_t i = 0; i < COLUMNS; i++)
        x[i] = (float)element(kind, i, next_gaussian(&seed));
}

enum importance_kind {
    NO_IMPORTANCE,
    LOG_NORMAL,
    ALL_ZERO,
    HALF_ZERO,
    UNEVEN,
    IMPORTANCE_KINDS
};

static void make_importance(enum importance_kind kind, uint64_t seed, float *w)
{
    for (size_t i = 0; i < COLUMNS; i++) {
        double g = next_gaussian(&seed);
        const double of_kind[IMPORTANCE_KINDS] = {[LOG_NORMAL] = exp(2 * g),
                                                  [HALF_ZERO] = i % 64 < 32 ? 0 : g * g,
                                                  [UNEVEN] = fmin(exp(20 * g), 1e38)};
        w[i] = (float)of_kind[kind];
    }
}

/* ---- Rounding to nearest, written as the formats are described ------------------------ */

static double to_half(double v)
{
    if (v == 0)
        return 0;
    int e;
    frexp(v, &e);
    double step = ldexp(1, e - 11 < -24 ? -24 : e - 11);
    double r = nearbyint(v / step) * step;
    return r > 65504 ? 65504 : r < -65504 ? -65504 : r;
}

static double clamp(double v, double lo, double hi)
{
    return v < lo ? lo : v > hi ? hi : v;
}

static double extreme_of(const float *x, size_t n)
{
    double extreme = 0;
    for (size_t i = 0; i < n; i++)
        extreme = fabs((double)x[i]) > fabs(extreme) ? (double)x[i] : extreme;
    return extreme;
}

/* One scale and levels lo..hi: the extreme takes level lo. */
static void rtn_scale(const float *x, size_t n, double lo, double hi, float *y)
{
    double exact = extreme_of(x, n) / lo, d = to_half(exact);
    for (size_t i = 0; i < n; i++)
        y[i] = (float)(d * (exact != 0 ? clamp(nearbyint((double)x[i] / exact), lo, hi) : 0));
}

/* Scale and offset: the range is covered exactly. */
static void rtn_line(const float *x, double hi, float *y)
{
    double low = (double)x[0], high = low;
    for (int i = 1; i < 32; i++) {
        low = fmin(low, (double)x[i]);
        high = fmax(high, (double)x[i]);
    }
    double exact = (high - low) / hi, d = to_half(exact), m = to_half(low);
    for (int i = 0; i < 32; i++) {
        double q = exact != 0 ? clamp(nearbyint(((double)x[i] - low) / exact), 0, hi) : 0;
        y[i] = (float)(d * q + m);
    }
}

/* 32 elements, each as the nearest of d * level. */
static void rtn_levels(const float *x, double d, const double *level, size_t n_levels, float *y)
{
    for (size_t i = 0; i < 32; i++) {
        double best = INFINITY;
        for (size_t k = 0; k < n_levels; k++) {
            double distance = fabs((double)x[i] - d * level[k]);
            if (distance < best) {
                best = distance;
                y[i] = (float)(d * level[k]);
            }
        }
    }
}

static const double iq4[16] = {-127, -104, -83, -65, -49, -35, -22, -10,
                               1,    13,   25,  38,  53,  69,  89,  113};

static void rtn_iq4_nl(const float *x, float *y)
{
    rtn_levels(x, to_half(extreme_of(x, 32) / -127), iq4, 16, y);
}

/* The widest of eight scales takes -32. */
static void rtn_iq4_xs(const float *x, float *y)
{
    float scale[8];
    for (size_t j = 0; j < 8; j++)
        scale[j] = (float)(extreme_of(x + 32 * j, 32) / -127);
    double d = to_half(extreme_of(scale, 8) / -32);
    for (size_t j = 0; j < 8; j++) {
        double k = d != 0 ? clamp(nearbyint((double)scale[j] / d), -32, 31) : 0;
        rtn_levels(x + 32 * j, d * k, iq4, 16, y + 32 * j);
    }
}

static void rtn_mxfp4(const float *x, float *y)
{
    static const double fp4[15] = {0, 0.5, 1, 1.5, 2, 3, 4, 6, -0.5, -1, -1.5, -2, -3, -4, -6};
    double max = fabs(extreme_of(x, 32));
    double d = max > 0 ? exp2(clamp(floor(log2(max)) - 2, -127, 127)) : 0;
    rtn_levels(x, d, fp4, 15, y);
}

/* One block; the number of its elements, 0 for types that have no such rule here. */
static size_t rtn_block(uint32_t type, const float *x, float *y)
{
    switch (type) {
    case GGUF_Q4_0:
        rtn_scale(x, 32, -8, 7, y);
        return 32;
    case GGUF_Q5_0:
        rtn_scale(x, 32, -16, 15, y);
        return 32;
    case GGUF_Q8_0:
        rtn_scale(x, 32, -127, 127, y);
        return 32;
    case GGUF_Q4_1:
        rtn_line(x, 15, y);
        return 32;
    case GGUF_Q5_1:
        rtn_line(x, 31, y);
        return 32;
    case GGUF_IQ4_NL:
        rtn_iq4_nl(x, y);
        return 32;
    case GGUF_IQ4_XS:
        rtn_iq4_xs(x, y);
        return 256;
    case GGUF_TQ1_0:
    case GGUF_TQ2_0:
        rtn_scale(x, 256, -1, 1, y);
        return 256;
    case GGUF_MXFP4:
        rtn_mxfp4(x, y);
        return 32;
    default:
        return 0;
    }
}

static bool round_to_nearest(uint32_t type, const float *x, float *y)
{
    size_t taken = 0;
    for (size_t i = 0; i < COLUMNS; i += taken) {
        taken = rtn_block(type, x + i, y + i);
        if (taken == 0)
            return false;
    }
    return true;
}

/* One row with weights or without. False where there is no rule to compare with. */
static bool check_against_rounding(uint32_t type, enum row_kind kind,
                                   enum importance_kind weights, uint64_t seed)
{
    float x[COLUMNS], w[COLUMNS], y[COLUMNS], rtn[COLUMNS];
    unsigned char blocks[COLUMNS * 4];
    make_row(kind, seed * 77 + 1, x);
    if (!round_to_nearest(type, x, rtn))
        return false;
    make_importance(weights, seed, w);
    const float *importance = weights == NO_IMPORTANCE ? NULL : w;
    const struct quant_format *format = quant_format_find(type);
    format->encode(x, blocks, COLUMNS, importance);
    format->decode(blocks, y, COLUMNS);
    double ours = row_error(x, y, importance), theirs = row_error(x, rtn, importance);
    if (!(ours <= theirs * (1 + 1e-9)))
        fail_msg("%s, row kind %d, weights %d: %.9g, rounding %.9g", gguf_type_find(type)->name,
                 (int)kind, (int)weights, ours, theirs);
    return true;
}

/* The K-quants have a test of their own. */
static void encoding_is_never_worse_than_rounding(void **state)
{
    (void)state;
    const int seeds = 8;
    int checked = 0;
    for (size_t t = 0; gguf_type_at(t); t++) {
        for (int i = 0; i < seeds * ROW_KINDS * IMPORTANCE_KINDS; i++)
            checked += check_against_rounding(
                gguf_type_at(t)->id, (enum row_kind)(i % ROW_KINDS),
                (enum importance_kind)(i / ROW_KINDS % IMPORTANCE_KINDS), (uint64_t)i);
    }
    assert_int_equal(checked, 10 * seeds * ROW_KINDS * IMPORTANCE_KINDS);
}

/* Finite in, finite out; and all-zero importance behaves like none. */
static void extremes_stay_finite(void **state)
{
    (void)state;
    static const float huge[] = {3e38f, -3e38f, 1e38f, 65504.0f, 7e4f, 1e-45f, -1e-38f, 0};
    float x[COLUMNS], y[COLUMNS], w[COLUMNS];
    unsigned char blocks[COLUMNS * 4];
    for (size_t t = 0; gguf_type_at(t); t++) {
        const struct quant_format *format = quant_format_find(gguf_type_at(t)->id);
        if (!format || !format->encode)
            continue;
        for (size_t k = 0; k < 64; k++) {
            for (size_t i = 0; i < COLUMNS; i++) {
                x[i] = huge[(i * (k + 1) + i / 32 * k) % 8];
                w[i] = k % 3 == 1 ? 0 : k % 3 == 2 ? 3e38f : 1;
            }
            format->encode(x, blocks, COLUMNS, k % 3 ? w : NULL);
            format->decode(blocks, y, COLUMNS);
            for (size_t i = 0; i < COLUMNS; i++) {
                if (!isfinite(y[i]))
                    fail_msg("%s: %.9g became %.9g", gguf_type_at(t)->name, (double)x[i],
                             (double)y[i]);
            }
        }
    }
}

/* ---- Scales that are no numbers ------------------------------------------------------- */

static void invalid_scales_are_found(void **state)
{
    (void)state;
    need_golden();
    for (size_t t = 0; gguf_type_at(t); t++) {
        const struct gguf_type_info *info = gguf_type_at(t);
        char file[32];
        size_t size, floats_size;
        unsigned char *blocks = load(file_name(info->name, file), ".rand.q", &size);
        if (!blocks)
            continue;
        float *floats = load(file, ".rand.f32", &floats_size);
        size_t n = size / info->block_bytes;
        for (size_t b = 0; b < n; b++) {
            bool finite = true;
            for (size_t i = 0; i < info->block_elements; i++)
                finite = finite && isfinite(floats[b * info->block_elements + i]);
            size_t found = quant_find_invalid(info->id, blocks + b * info->block_bytes, 1);
            /* a scale that is infinite may be multiplied by zero levels only: NaN then */
            assert_int_equal(found == SIZE_MAX, finite);
        }
        free(blocks);
        free(floats);
    }
    static const float numbers[] = {1, -2, INFINITY};
    static const uint16_t bf16[] = {0x3f80, 0x7f80, 0xffc0};
    static const unsigned char mxfp4[2 * 17] = {[0] = 254, [17] = 255};
    assert_int_equal(quant_find_invalid(GGUF_F32, numbers, 3), 2);
    assert_int_equal(quant_find_invalid(GGUF_F32, numbers, 2), SIZE_MAX);
    assert_int_equal(quant_find_invalid(GGUF_BF16, bf16, 3), 1);
    assert_int_equal(quant_find_invalid(GGUF_MXFP4, mxfp4, 2), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_block_type_has_a_decoder),
        cmocka_unit_test(decoding_is_bit_exact),
        cmocka_unit_test(encoding_is_not_worse_than_the_peer),
        cmocka_unit_test(encoding_is_never_worse_than_rounding),
        cmocka_unit_test(extremes_stay_finite),
        cmocka_unit_test(invalid_scales_are_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
