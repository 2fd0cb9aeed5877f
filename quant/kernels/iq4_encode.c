/* Encoders of IQ4_NL and IQ4_XS. */
#include "quant/blocks.h"
#include "quant/kernels/codebook.h"
#include "quant/kernels/formats.h"
#include "quant/fp.h"

#include <math.h>
#include <string.h>

#define SUB 32 /* elements of a block of IQ4_NL and of a sub-block of IQ4_XS */
static const struct search_shape shape = {.n = SUB};

static const int8_t levels[16] = {-127, -104, -83, -65, -49, -35, -22, -10,
                                  1,    13,   25,  38,  53,  69,  89,  113};

static void encode_sub(const struct codebook *book, const float *x, float scale, uint8_t qs[16])
{
    float inverse = search_inverse(scale);
    for (size_t j = 0; j < SUB / 2; j++) {
        size_t first = codebook_nearest(book, x[j] * inverse);
        size_t second = codebook_nearest(book, x[j + SUB / 2] * inverse);
        qs[j] = (uint8_t)(first | second << 4);
    }
}

/* ---- IQ4_NL ------------------------------------------------------------------------- */

/* Stored scales that are compared: rounding to nearest, what the two searches found with
 * the neighbours, and the extreme exactly on each level. */
#define CANDIDATES (1 + 2 * 3 + 16)

/* A scale and its neighbours in half precision. */
static size_t add_neighbours(float scale, uint16_t *half)
{
    for (int step = -1; step <= 1; step++)
        *half++ = search_neighbour(search_half(scale), step);
    return 3;
}

/* Of a block of equal numbers half precision holds one multiple best: hence the extreme
 * on each level. */
static uint16_t best_half(const struct codebook *book, const struct search_job *job)
{
    uint16_t half[CANDIDATES];
    float searched[CANDIDATES], bound[CANDIDATES];
    size_t n = 0;
    half[n++] = search_half(codebook_nearest_scale(book, job));
    n += add_neighbours(codebook_search(book, &job->searched).scale, half + n);
    if (job->weighted)
        n += add_neighbours(codebook_search(book, &job->bound).scale, half + n);
    for (size_t k = 0; k < book->n; k++)
        half[n++] = search_half(search_extreme(job->x, SUB) / book->level[k]);
    for (size_t k = 0; k < n; k++) {
        searched[k] = codebook_error(book, &job->searched, fp16_to_float(half[k]));
        bound[k] = job->weighted ? codebook_error(book, &job->bound, fp16_to_float(half[k]))
                                 : searched[k];
    }
    uint16_t best = half[search_choose(searched, bound, n)];
    return codebook_true_error(book, job, fp16_to_float(best)) <=
                   codebook_true_error(book, job, fp16_to_float(half[0]))
               ? best
               : half[0];
}

QUANT_ENCODER(iq4_nl, any)
{
    struct block_iq4_nl *b = blocks;
    struct search_row row = search_row_of(x, n, importance);
    struct search_job job;
    struct codebook book;
    codebook_init(&book, levels, sizeof levels);
    for (size_t i = 0; i + SUB <= n; i += SUB, b++) {
        search_start(&job, &row, i, &shape);
        b->d = best_half(&book, &job);
        encode_sub(&book, job.x, fp16_to_float(b->d), b->qs);
    }
}

/* ---- IQ4_XS: eight sub-blocks with scales of 6 bits, -32 to 31 -------------------------- */

#define N_SUB    8
#define SCALE_LO (-32)
#define SCALE_HI 31

/* A candidate: what is stored, and the searched error. */
struct super_scales {
    uint16_t d;
    int scale[N_SUB];
    double error;
};

/* A super-block under search. The levels reach further down than up, so that either sign
 * of a scale has its merit: each sub-block wishes for one of both. */
struct super {
    const struct codebook *book;
    struct search_job job[N_SUB];
    float wish[2][N_SUB];
    double limit; /* no result may have a larger true error */
    struct super_scales best;
};

static double searched_error(const struct super *s, const struct super_scales *c)
{
    const float d = fp16_to_float(c->d);
    double error = 0;
    for (size_t j = 0; j < N_SUB; j++)
        error += (double)s->job[j].searched_share *
                 (double)codebook_error(s->book, &s->job[j].searched, d * (float)c->scale[j]);
    return error;
}

static double true_error(const struct super *s, const struct super_scales *c)
{
    const float d = fp16_to_float(c->d);
    double error = 0;
    for (size_t j = 0; j < N_SUB; j++)
        error += codebook_true_error(s->book, &s->job[j], d * (float)c->scale[j]);
    return error;
}

/* The multiple of d nearest to the wish. */
static int nearest_scale(float wish, float d)
{
    return (int)search_level(wish * search_inverse(d), SCALE_LO, SCALE_HI);
}

/* The best integer next to either wish of sub-block j. */
static int best_scale(const struct super *s, size_t j, float d)
{
    int best = 0;
    float least = INFINITY;
    for (size_t sign = 0; sign < 2; sign++) {
        int middle = nearest_scale(s->wish[sign][j], d);
        for (int k = middle - 1; k <= middle + 1; k++) {
            if (k < SCALE_LO || k > SCALE_HI)
                continue;
            float error = codebook_error(s->book, &s->job[j].searched, d * (float)k);
            if (error < least) {
                least = error;
                best = k;
            }
        }
    }
    return best;
}

/* Makes a candidate of d, and takes it if it is within the limit and better. */
static void try_d(struct super *s, uint16_t d, struct super_scales *c)
{
    c->d = d;
    for (size_t j = 0; j < N_SUB; j++)
        c->scale[j] = best_scale(s, j, fp16_to_float(d));
    c->error = searched_error(s, c);
    if (c->error < s->best.error && true_error(s, c) <= s->limit)
        s->best = *c;
}

/* d fitted by least squares to the integers as they are. */
static uint16_t refit(const struct super *s, const struct super_scales *c)
{
    double rl = 0, ll = 0, d = (double)fp16_to_float(c->d);
    for (size_t j = 0; j < N_SUB; j++) {
        double k = c->scale[j], share = (double)s->job[j].searched_share;
        struct codebook_sums sums = codebook_sums(s->book, &s->job[j].searched, (float)(d * k));
        rl += share * k * (double)sums.rl;
        ll += share * k * k * (double)sums.ll;
    }
    return ll > 0 ? search_half((float)(d + rl / ll)) : c->d;
}

/* Takes the integers nearest to wish / d if they lower the limit. */
static void lower_limit(struct super *s, const float *wish, float d, uint16_t stored)
{
    struct super_scales c = {.d = stored};
    for (size_t j = 0; j < N_SUB; j++)
        c.scale[j] = nearest_scale(wish[j], d);
    double error = true_error(s, &c);
    if (!(error < s->limit))
        return;
    s->limit = error;
    s->best = c;
    s->best.error = searched_error(s, &c);
}

/* Sets the limit. The integers are multiples of the d that is stored, or of d before it was
 * rounded, which differs where half precision does not hold d well. */
static void round_to_nearest(struct super *s)
{
    float wish[N_SUB];
    for (size_t j = 0; j < N_SUB; j++)
        wish[j] = codebook_nearest_scale(s->book, &s->job[j]);
    const float d = search_extreme(wish, N_SUB) / SCALE_LO;
    s->limit = INFINITY;
    lower_limit(s, wish, fp16_to_float(search_half(d)), search_half(d));
    lower_limit(s, wish, d, search_half(d));
}

/* The wishes of all sub-blocks; of the better ones the largest in magnitude. */
static float make_wishes(struct super *s)
{
    float better[N_SUB];
    for (size_t j = 0; j < N_SUB; j++) {
        const struct search_block *block = &s->job[j].searched;
        struct search_line low = codebook_search_end(s->book, block, 0);
        struct search_line high = codebook_search_end(s->book, block, s->book->n - 1);
        s->wish[0][j] = low.scale;
        s->wish[1][j] = high.scale;
        better[j] = high.error < low.error ? high.scale : low.scale;
    }
    return search_extreme(better, N_SUB);
}

static void search_super(struct super *s)
{
    /* Which parts of -32 or 31 the largest wish is given. */
    static const float stretch[] = {1,     0.98f, 1.02f, 0.96f, 1.04f,
                                    0.93f, 1.07f, 0.9f,  0.85f, 1.15f};
    const int rounds = 3;
    struct super_scales start, best = {.error = INFINITY};
    round_to_nearest(s);
    float widest = make_wishes(s);
    for (size_t k = 0; k < 2 * sizeof stretch / sizeof stretch[0]; k++) {
        float end = k % 2 ? SCALE_HI : SCALE_LO;
        try_d(s, search_half(widest / (end * stretch[k / 2])), &start);
        if (start.error < best.error)
            best = start;
    }
    for (int i = 0; i < rounds; i++)
        try_d(s, refit(s, &best), &best);
}

static void store_super(const struct super *s, struct block_iq4_xs *b)
{
    memset(b, 0, sizeof *b);
    b->d = s->best.d;
    for (size_t j = 0; j < N_SUB; j++) {
        unsigned stored = (unsigned)(s->best.scale[j] - SCALE_LO);
        b->scales_l[j / 2] |= (uint8_t)((stored & 0xf) << 4 * (j % 2));
        b->scales_h |= (uint16_t)((stored >> 4) << 2 * j);
        encode_sub(s->book, s->job[j].x, fp16_to_float(b->d) * (float)s->best.scale[j],
                   b->qs + 16 * j);
    }
}

QUANT_ENCODER(iq4_xs, any)
{
    struct block_iq4_xs *b = blocks;
    struct search_row row = search_row_of(x, n, importance);
    struct codebook book;
    struct super s = {.book = &book};
    codebook_init(&book, levels, sizeof levels);
    for (size_t i = 0; i + QK_K <= n; i += QK_K, b++) {
        for (size_t j = 0; j < N_SUB; j++)
            search_start(&s.job[j], &row, i + j * SUB, &shape);
        search_super(&s);
        store_super(&s, b);
    }
}
