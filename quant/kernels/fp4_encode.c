/*
 * Encoder of MXFP4: 32 floats of 4 bits with a power of two for a scale, sixteen blocks at
 * once.
 *
 * Rounding to nearest brings the largest magnitude into 4 to 8: floor(log2(max)) - 2. The
 * exponents beside it are compared, by the error and the weights of basic_encode.c.
 */
#include "quant/blocks.h"
#include "quant/kernels/codebook.h"
#include "quant/kernels/formats.h"
#include "quant/kernels/group.h"

#include <math.h>

#define MX    32  /* elements of a block */
#define E_MAX 252 /* the largest exponent with which the largest level, 12, is still finite */

/* Groups hold less than the exponents reach. A block is brought to a largest magnitude of 0.5
 * to 1 by a power of two, which is exact but for what then falls below 2^-126 of that. */
struct job {
    struct group g;
    float x[GROUP * MX]; /* the blocks divided by 2^power */
    int power[GROUP], nearest[GROUP], best[GROUP];
    group_floats error, bound; /* of the best; bound: by the importance alone, of the nearest */
};

static int power_of(const float *x)
{
    float largest = 0;
    int power;
    for (size_t i = 0; i < MX; i++)
        largest = fabsf(x[i]) > largest ? fabsf(x[i]) : largest;
    (void)frexpf(largest, &power);
    return largest > 0 ? power
                       : -148; /* the smallest there is: zeros are stored as zero bytes */
}

static void normalise(struct job *job, const float *x, size_t n)
{
    for (size_t l = 0; l < n; l++) {
        const int power = job->power[l] = power_of(x + l * MX);
        const float first = ldexpf(1, -power / 2), second = ldexpf(1, -power - -power / 2);
        for (size_t i = l * MX; i < (l + 1) * MX; i++)
            job->x[i] = x[i] * first * second;
    }
}

static void weigh(struct job *job, float sigma2, size_t n)
{
    group_floats of_block = {{0}};
    if (!job->g.weighted) {
        group_weigh_magnitude(&job->g, &of_block, 0, 0);
        return;
    }
    for (size_t l = 0; l < n; l++)
        of_block.of[l] = fminf(ldexpf(sigma2, -2 * job->power[l]), GROUP_LIMIT);
    group_normalise(&job->g, 1);
    group_weigh_importance(&job->g, &of_block);
}

static int clamp_exponent(int e)
{
    return e < 0 ? 0 : e > E_MAX ? E_MAX : e;
}

static float scale_of(const struct job *job, size_t l, int e)
{
    return ldexpf(0.5f, e - 127 - job->power[l]);
}

/* Weighted squared errors of a vector of blocks, by w and by the importance alone. */
LANES_OP void errors_of(const struct group *g, size_t at, lanes scale, lanes *error,
                        lanes *bound)
{
    const lanes inverse = lanes_inverse(scale);
    *error = *bound = lanes_all(0);
    for (size_t i = 0; i < g->len; i++) {
        const lanes x = group_x(g, i, at), level = codebook_level(&codebook_fp4, x * inverse);
        const lanes r = lanes_fnma(scale, level, x);
        *error = lanes_fma(group_w(g, i, at) * r, r, *error);
        *bound = lanes_fma(group_a(g, i, at) * r, r, *bound);
    }
}

/* Compares the exponents that are `step` from those of rounding to nearest; the first time
 * with step = 0. */
static void try_step(struct job *job, size_t n, int step)
{
    group_floats scale = {{0}}, better;
    for (size_t l = 0; l < n; l++)
        scale.of[l] = scale_of(job, l, clamp_exponent(job->nearest[l] + step));
    FOR_LANES (at) {
        lanes error, bound;
        errors_of(&job->g, at, group_of(&scale, at), &error, &bound);
        if (step == 0)
            group_set(&job->bound, at, bound);
        const lanes least = step == 0 ? lanes_all(INFINITY) : group_of(&job->error, at);
        const lanes worse = lanes_select(lanes_less(group_of(&job->bound, at), bound),
                                         lanes_all(INFINITY), error);
        const lanes_mask is_less = lanes_less(worse, least);
        group_set(&job->error, at, lanes_select(is_less, worse, least));
        group_set(&better, at, lanes_select(is_less, lanes_all(1), lanes_all(0)));
    }
    for (size_t l = 0; l < n; l++)
        if (better.of[l] > 0)
            job->best[l] = clamp_exponent(job->nearest[l] + step);
}

/* The levels of a block, from 0 on, and their error as a user computes it. */
static double take(const float *x, const float *importance, float scale, uint8_t level[MX])
{
    const lanes inverse = lanes_all(1 / scale), lowest = lanes_all(codebook_fp4.level[0]);
    double error = 0;
    for (size_t i = 0; i < MX; i += QUANT_LANES) {
        const lanes v = codebook_level(&codebook_fp4, lanes_load(x + i) * inverse);
        lanes_store_bytes(level + i, v - lowest);
    }
    for (size_t i = 0; i < MX; i++) {
        const float y = scale * ((float)level[i] + codebook_fp4.level[0]);
        const double r = (double)x[i] - (double)y;
        error += (importance ? (double)importance[i] : 1) * r * r;
    }
    return error;
}

static void store(const struct job *job, size_t l, const float *importance,
                  struct block_mxfp4 *b)
{
    const float *x = job->x + l * MX;
    uint8_t level[MX], nearest[MX];
    const int e = job->best[l], other = job->nearest[l];
    double error = take(x, importance, scale_of(job, l, e), level);
    b->e = (uint8_t)e;
    if (e != other && take(x, importance, scale_of(job, l, other), nearest) < error) {
        memcpy(level, nearest, sizeof level);
        b->e = (uint8_t)other;
    }
    for (size_t j = 0; j < MX / 2; j++)
        b->qs[j] = (uint8_t)(codebook_code(&codebook_fp4, level[j]) |
                             codebook_code(&codebook_fp4, level[j + MX / 2]) << 4);
}

QUANT_ENCODER(mxfp4, any)
{
    struct block_mxfp4 *b = blocks;
    const float sigma2 = importance ? group_mean_square(x, n) : 0;
    struct job job = {.g = {.len = MX}};
    for (size_t i = 0; i < n; i += MX * GROUP, b += GROUP) {
        const size_t left = (n - i) / MX, taken = left < GROUP ? left : GROUP;
        const float *part = importance ? importance + i : NULL;
        normalise(&job, x + i, taken);
        group_load(&job.g, job.x, part, taken);
        weigh(&job, sigma2, taken);
        for (size_t l = 0; l < taken; l++)
            job.best[l] = job.nearest[l] = clamp_exponent(job.power[l] - 3 + 127);
        for (int step = 0; step <= 2; step++)
            try_step(&job, taken, step == 2 ? -1 : step);
        for (size_t l = 0; l < taken; l++)
            store(&job, l, part ? part + l * MX : NULL, b + l);
    }
}
