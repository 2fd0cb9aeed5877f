/* IQ4_NL and IQ4_XS: sixteen levels, denser around zero. */
#include "quant/blocks.h"
#include "quant/codebook.h"
#include "quant/formats.h"
#include "quant/fp.h"
#include "quant/iq_tables.h"

#include <math.h>
#include <string.h>

#define SUB 32 /* elements of a block of IQ4_NL and of a sub-block of IQ4_XS */

const int8_t quant_iq4_levels[16] = {-127, -104, -83, -65, -49, -35, -22, -10,
                                     1,    13,   25,  38,  53,  69,  89,  113};
static const struct codebook levels = {quant_iq4_levels, 16};

static void decode_sub(const uint8_t qs[16], float scale, float *out)
{
    for (size_t j = 0; j < SUB / 2; j++) {
        out[j] = scale * (float)quant_iq4_levels[qs[j] & 0xf];
        out[j + SUB / 2] = scale * (float)quant_iq4_levels[qs[j] >> 4];
    }
}

static void encode_sub(const struct search_job *job, float scale, uint8_t qs[16])
{
    float inverse = scale != 0 ? 1 / scale : 0;
    for (size_t j = 0; j < SUB / 2; j++) {
        size_t first = codebook_nearest(&levels, job->x[j] * inverse);
        size_t second = codebook_nearest(&levels, job->x[j + SUB / 2] * inverse);
        qs[j] = (uint8_t)(first | second << 4);
    }
}

/* ---- IQ4_NL ------------------------------------------------------------------------- */

QUANT_DECODER(iq4_nl)
{
    const struct block_iq4_nl *b = blocks;
    for (; n >= SUB; n -= SUB, b++, out += SUB)
        decode_sub(b->qs, fp16_to_float(b->d), out);
}

/* The stored scale. Besides rounding to nearest: what the searches found and their
 * neighbours; and scales that bring the extreme exactly onto a level, of which a block of
 * equal numbers has one that half precision holds best. */
static uint16_t best_half(const struct search_job *job)
{
    uint16_t half[1 + 2 * 3 + 16];
    float searched[sizeof half / sizeof half[0]], bound[sizeof half / sizeof half[0]];
    size_t n = 0;
    float nearest = codebook_nearest_scale(&levels, &job->bound);
    float extreme = nearest * (float)quant_iq4_levels[0];
    half[n++] = search_half(nearest);
    uint16_t by_search = search_half(codebook_search(&levels, &job->searched));
    uint16_t by_bound = job->weighted ? search_half(codebook_search(&levels, &job->bound)) : by_search;
    for (int step = -1; step <= 1; step++) {
        half[n++] = search_neighbour(by_search, step);
        half[n++] = search_neighbour(by_bound, step);
    }
    for (size_t k = 0; k < 16; k++)
        half[n++] = search_half(extreme / (float)quant_iq4_levels[k]);
    for (size_t k = 0; k < n; k++) {
        searched[k] = codebook_error(&levels, &job->searched, fp16_to_float(half[k]));
        bound[k] = codebook_error(&levels, &job->bound, fp16_to_float(half[k]));
    }
    return half[search_choose(searched, bound, n)];
}

QUANT_ENCODER(iq4_nl)
{
    struct block_iq4_nl *b = blocks;
    struct search_row row = search_row_of(x, n, importance);
    struct search_job job;
    for (size_t i = 0; i + SUB <= n; i += SUB, b++) {
        search_start(&job, &row, x, i, SUB, 0, 0);
        b->d = best_half(&job);
        encode_sub(&job, fp16_to_float(b->d), b->qs);
    }
}

/* ---- IQ4_XS: eight sub-blocks with scales of 6 bits, -32 to 31 ------------------------------
 */

#define N_SUB 8

static int scale_at(const struct block_iq4_xs *b, size_t j)
{
    int low = b->scales_l[j / 2] >> 4 * (j % 2) & 0xf;
    int high = b->scales_h >> 2 * j & 3;
    return (low | high << 4) - 32;
}

QUANT_DECODER(iq4_xs)
{
    const struct block_iq4_xs *b = blocks;
    for (; n >= QK_K; n -= QK_K, b++) {
        float d = fp16_to_float(b->d);
        for (size_t j = 0; j < N_SUB; j++, out += SUB)
            decode_sub(b->qs + 16 * j, d * (float)scale_at(b, j), out);
    }
}

/* A super-block under search. */
struct super {
    struct search_job job[N_SUB];
    float wish[N_SUB]; /* the scale that each sub-block would like */
};

struct super_scales {
    uint16_t d;
    int scale[N_SUB];
    double searched, bound; /* errors */
};

static int nearest_scale(float v)
{
    return (int)search_level(v, -32, 31);
}

static void measure(const struct super *s, struct super_scales *c)
{
    float d = fp16_to_float(c->d);
    c->searched = c->bound = 0;
    for (size_t j = 0; j < N_SUB; j++) {
        float scale = d * (float)c->scale[j];
        c->searched += (double)s->job[j].searched_share *
                       (double)codebook_error(&levels, &s->job[j].searched, scale);
        c->bound += (double)s->job[j].bound_share *
                    (double)codebook_error(&levels, &s->job[j].bound, scale);
    }
}

/* Each sub-block takes the best integer next to its wish. */
static void choose_scales(const struct super *s, struct super_scales *c)
{
    float d = fp16_to_float(c->d);
    for (size_t j = 0; j < N_SUB; j++) {
        int middle = nearest_scale(d != 0 ? s->wish[j] / d : 0);
        float least = INFINITY;
        for (int k = middle - 1; k <= middle + 1; k++) {
            float error = k < -32 || k > 31
                              ? INFINITY
                              : codebook_error(&levels, &s->job[j].searched, d * (float)k);
            if (error < least) {
                least = error;
                c->scale[j] = k;
            }
        }
    }
}

/* d fitted by least squares to the integers as they are. */
static float refit(const struct super *s, const struct super_scales *c)
{
    double xl = 0, ll = 0, d = (double)fp16_to_float(c->d);
    for (size_t j = 0; j < N_SUB; j++) {
        double k = c->scale[j], share = (double)s->job[j].searched_share;
        struct codebook_sums sums = codebook_sums(&levels, &s->job[j].searched, (float)(d * k));
        xl += share * k * (double)sums.xl;
        ll += share * k * k * (double)sums.ll;
    }
    return ll > 0 ? (float)(xl / ll) : (float)d;
}

static void keep_better(const struct super *s, float d, double limit, struct super_scales *best)
{
    struct super_scales c = {.d = search_half(d)};
    for (int round = 0; round < 3; round++) {
        choose_scales(s, &c);
        measure(s, &c);
        if (c.searched < best->searched && c.bound <= limit)
            *best = c;
        c.d = search_half(refit(s, &c));
    }
}

static float widest(const float wish[N_SUB])
{
    float extreme = 0;
    for (size_t j = 0; j < N_SUB; j++) {
        if (fabsf(wish[j]) > fabsf(extreme))
            extreme = wish[j];
    }
    return extreme;
}

static struct super_scales round_to_nearest(const struct super *s)
{
    struct super_scales c;
    float wish[N_SUB];
    for (size_t j = 0; j < N_SUB; j++)
        wish[j] = codebook_nearest_scale(&levels, &s->job[j].bound);
    c.d = search_half(widest(wish) / -32);
    float d = fp16_to_float(c.d);
    for (size_t j = 0; j < N_SUB; j++)
        c.scale[j] = nearest_scale(d != 0 ? wish[j] / d : 0);
    measure(s, &c);
    return c;
}

static struct super_scales search_super(struct super *s)
{
    static const float stretch[] = {1, 0.98f, 1.02f, 0.96f, 1.04f, 0.93f, 1.07f, 0.9f, 0.85f, 1.15f};
    struct super_scales best = round_to_nearest(s);
    const double limit = best.bound;
    for (size_t j = 0; j < N_SUB; j++)
        s->wish[j] = codebook_search(&levels, &s->job[j].searched);
    float extreme = widest(s->wish);
    for (size_t k = 0; k < sizeof stretch / sizeof stretch[0]; k++) {
        keep_better(s, extreme / (-32 * stretch[k]), limit, &best);
        keep_better(s, extreme / (31 * stretch[k]), limit, &best);
    }
    return best;
}

static void store_super(const struct super *s, const struct super_scales *c,
                        struct block_iq4_xs *b)
{
    memset(b, 0, sizeof *b);
    b->d = c->d;
    for (size_t j = 0; j < N_SUB; j++) {
        unsigned stored = (unsigned)(c->scale[j] + 32);
        b->scales_l[j / 2] |= (uint8_t)((stored & 0xf) << 4 * (j % 2));
        b->scales_h |= (uint16_t)((stored >> 4) << 2 * j);
        encode_sub(&s->job[j], fp16_to_float(c->d) * (float)c->scale[j], b->qs + 16 * j);
    }
}

QUANT_ENCODER(iq4_xs)
{
    struct block_iq4_xs *b = blocks;
    struct search_row row = search_row_of(x, n, importance);
    struct super s;
    for (size_t i = 0; i + QK_K <= n; i += QK_K, b++) {
        for (size_t j = 0; j < N_SUB; j++)
            search_start(&s.job[j], &row, x, i + j * SUB, SUB, 0, 0);
        struct super_scales best = search_super(&s);
        store_super(&s, &best, b);
    }
}
