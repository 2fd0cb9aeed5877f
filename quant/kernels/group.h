/*
 * Sixteen blocks side by side, one a lane: the unit of work of the encoders. Element i of all
 * blocks lies in one row of 16 floats, so that a search runs over the elements of every block
 * at once and never adds across lanes.
 *
 *     memory     block 0: e0 e1 e2 ...    block 1: e0 e1 e2 ...
 *     group      x[0]: e0 of block 0, e0 of block 1, ...   x[1]: e1 of block 0, ...
 *
 * 16 blocks of 32 elements are two super-blocks of Q4_K; 16 of 16 elements are one of Q3_K.
 * Where fewer are left the other lanes hold zeros. FOR_LANES goes through a group one vector
 * after the other. Inside quant/kernels/ only.
 */
#ifndef QUANT_KERNELS_GROUP_H
#define QUANT_KERNELS_GROUP_H

#include "quant/kernels/lanes.h"

#include <string.h>

#define GROUP         16 /* blocks */
#define GROUP_LEN     32 /* elements of a block, at most */
#define FOR_LANES(at) for (size_t at = 0; (at) < GROUP; (at) += QUANT_LANES)

/* One number for each block. The alignment is also that of what holds them: gcc 12 takes
 * less for more. */
typedef struct {
    _Alignas(64) float of[GROUP];
} group_floats;

struct group {
    size_t len;                             /* elements of a block: 16 or 32 */
    bool weighted;                          /* importance was given */
    _Alignas(64) float x[GROUP_LEN][GROUP]; /* the input within +-GROUP_LIMIT */
    _Alignas(64) float w[GROUP_LEN][GROUP]; /* weights of the error that is searched for */
    _Alignas(64) float a[GROUP_LEN][GROUP]; /* importance alone; set where `weighted` */
};

/* Larger than what any block format can express with a half-precision scale, and small enough
 * for sums of fourth powers in float. */
#define GROUP_LIMIT 0x1p28f

LANES_OP lanes group_x(const struct group *g, size_t i, size_t at)
{
    return lanes_load(&g->x[i][at]);
}

LANES_OP lanes group_w(const struct group *g, size_t i, size_t at)
{
    return lanes_load(&g->w[i][at]);
}

LANES_OP lanes group_a(const struct group *g, size_t i, size_t at)
{
    return g->weighted ? lanes_load(&g->a[i][at]) : lanes_all(1);
}

LANES_OP lanes group_of(const group_floats *v, size_t at)
{
    return lanes_load(&v->of[at]);
}

LANES_OP void group_set(group_floats *v, size_t at, lanes value)
{
    lanes_store(&v->of[at], value);
}

/* ---- Parts of a group: the blocks first..first + n - 1, a super-block ----------------- */

LANES_OP void part_fill(group_floats *v, size_t first, size_t n, float value)
{
    for (size_t l = first; l < first + n; l++)
        v->of[l] = value;
}

LANES_OP float part_max(const group_floats *v, size_t first, size_t n)
{
    float max = v->of[first];
    for (size_t l = first + 1; l < first + n; l++)
        max = v->of[l] > max ? v->of[l] : max;
    return max;
}

/* In the order of the blocks, at every width. */
LANES_OP float part_sum(const group_floats *v, size_t first, size_t n)
{
    float sum = 0;
    for (size_t l = first; l < first + n; l++)
        sum += v->of[l];
    return sum;
}

/* ---- Loading --------------------------------------------------------------------------- */

LANES_OP void group_transpose(const float *from, size_t len, size_t blocks,
                              float to[GROUP_LEN][GROUP])
{
    float padded[GROUP_LEN * GROUP];
    if (blocks < GROUP) {
        memset(padded, 0, sizeof padded);
        memcpy(padded, from, blocks * len * sizeof *from);
        from = padded;
    }
    for (size_t i = 0; i < len; i += QUANT_LANES)
        for (size_t l = 0; l < GROUP; l += QUANT_LANES)
            lanes_transpose(from + l * len + i, len, &to[i][l], GROUP);
}

/* `blocks` blocks of g->len elements, and their importance or NULL. */
LANES_OP void group_load(struct group *g, const float *x, const float *importance,
                         size_t blocks)
{
    const lanes limit = lanes_all(GROUP_LIMIT), below = lanes_all(-GROUP_LIMIT);
    group_transpose(x, g->len, blocks, g->x);
    FOR_LANES (at)
        for (size_t i = 0; i < g->len; i++)
            lanes_store(&g->x[i][at], lanes_clamp(group_x(g, i, at), below, limit));
    g->weighted = importance != NULL;
    if (importance)
        group_transpose(importance, g->len, blocks, g->a);
}

/* Mean square of a row of whole groups of columns within the limit, in float, by 16 columns. */
LANES_OP float group_mean_square(const float *x, size_t n)
{
    const lanes limit = lanes_all(GROUP_LIMIT), below = lanes_all(-GROUP_LIMIT);
    group_floats sums = {{0}};
    for (size_t i = 0; i < n; i += GROUP)
        FOR_LANES (at) {
            const lanes v = lanes_clamp(lanes_load(x + i + at), below, limit);
            group_set(&sums, at, lanes_fma(v, v, group_of(&sums, at)));
        }
    return part_sum(&sums, 0, GROUP) / (float)n;
}

/* ---- Measures and weights -------------------------------------------------------------- */

/* The element of largest magnitude, the first of several. */
LANES_OP lanes group_extreme(const struct group *g, size_t at)
{
    lanes extreme = lanes_all(0);
    for (size_t i = 0; i < g->len; i++) {
        const lanes x = group_x(g, i, at);
        const lanes_mask larger = lanes_less(lanes_abs(extreme), lanes_abs(x));
        extreme = lanes_select(larger, x, extreme);
    }
    return extreme;
}

/* The smallest and the largest element. */
LANES_OP void group_range(const struct group *g, size_t at, lanes *low, lanes *high)
{
    *low = *high = group_x(g, 0, at);
    for (size_t i = 1; i < g->len; i++) {
        *low = lanes_min(group_x(g, i, at), *low);
        *high = lanes_max(group_x(g, i, at), *high);
    }
}

/* Sums of squares of each block. */
LANES_OP void group_squares(const struct group *g, group_floats *squares)
{
    FOR_LANES (at) {
        lanes sum = lanes_all(0);
        for (size_t i = 0; i < g->len; i++)
            sum = lanes_fma(group_x(g, i, at), group_x(g, i, at), sum);
        group_set(squares, at, sum);
    }
}

/* Brings the importance of every `part` blocks into [0, 1]; all zero is all equal. */
LANES_OP void group_normalise(struct group *g, size_t part)
{
    group_floats largest;
    FOR_LANES (at) {
        lanes max = lanes_all(0);
        for (size_t i = 0; i < g->len; i++)
            max = lanes_max(group_a(g, i, at), max);
        group_set(&largest, at, max);
    }
    for (size_t first = 0; first < GROUP; first += part)
        part_fill(&largest, first, part, part_max(&largest, first, part));
    FOR_LANES (at) {
        const lanes inverse = lanes_inverse(group_of(&largest, at));
        const lanes_mask some = lanes_less(lanes_all(0), inverse);
        for (size_t i = 0; i < g->len; i++) {
            const lanes a = group_a(g, i, at) * inverse;
            lanes_store(&g->a[i][at], lanes_select(some, a, lanes_all(1)));
        }
    }
}

/* (s * sigma)^power + |x|^power, power 1 or 2, with the sums of squares of the blocks; all the
 * same where power is 0. */
LANES_OP void group_weigh_magnitude(struct group *g, const group_floats *squares, int power,
                                    float s)
{
    const lanes floor = lanes_all(0x1p-60f);
    FOR_LANES (at) {
        const lanes mean = group_of(squares, at) * lanes_all(s * s / (float)g->len);
        const lanes sigma = lanes_sqrt(mean);
        for (size_t i = 0; i < g->len; i++) {
            const lanes x = group_x(g, i, at);
            lanes w = lanes_all(1);
            if (power == 1)
                w = sigma + lanes_abs(x);
            if (power == 2)
                w = lanes_fma(x, x, mean);
            lanes_store(&g->w[i][at], lanes_max(w, floor));
        }
    }
}

/* Importance times sqrt(sigma2 + x^2), with sigma2 of each block; without, importance alone.
 * The floor makes a block whose importance is all zero behave as one of equal weights, too
 * light to disturb the others. */
LANES_OP void group_weigh_importance(struct group *g, const group_floats *sigma2)
{
    const lanes floor = lanes_all(0x1p-32f), least = lanes_all(0x1p-60f);
    FOR_LANES (at)
        for (size_t i = 0; i < g->len; i++) {
            const lanes x = group_x(g, i, at), a = lanes_max(group_a(g, i, at), floor);
            lanes magnitude = lanes_all(1);
            if (sigma2)
                magnitude = lanes_sqrt(lanes_fma(x, x, group_of(sigma2, at)));
            lanes_store(&g->w[i][at], lanes_max(a * magnitude, least));
        }
}

#endif
