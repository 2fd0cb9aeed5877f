/*
 * The best y = scale * level + offset of each block of a group by itself, levels 0..top.
 *
 * A candidate says where the ends of the range go; every element takes its nearest level, and
 * weighted least squares gives the line for these levels. The elements are centred (z) on
 * their weighted mean and scaled so that the range has `top` steps: the candidates are then
 * the same numbers for every block, and with S(v) for the weighted sum of v
 *
 *     scale  = S(zq) / (S(qq) - S(q)^2 / S(1))
 *     offset = -scale * S(q) / S(1)
 *     gain   = S(zq) * scale                 by this much the squared error falls
 *
 * The same levels serve the mirrored line y = offset' - scale * level', level' = top - level,
 * which is the choice of a super-block whose mins cannot be negative. Inside quant/kernels/
 * only.
 */
#ifndef QUANT_KERNELS_FIT_LINE_H
#define QUANT_KERNELS_FIT_LINE_H

#include "quant/kernels/group.h"

/* Less than any line gains. */
#define LINE_NO_GAIN (-1e30f)

/* Lines of one vector of blocks, in z; and the sums of the levels that they were fitted to. */
struct line_fit {
    lanes scale, offset, gain;
    lanes q, qq; /* S(q), S(qq) */
};

/* One vector of blocks, and the best lines so far. */
struct line_search {
    const struct group *g;
    size_t at;
    lanes z[GROUP_LEN];
    lanes mean, unit; /* z = (x - mean) * unit; unit = 0 for a block without a range */
    lanes low;        /* the z of the lower end of the range */
    lanes limit;      /* the z that the offset may not exceed */
    lanes weight, inverse_weight; /* S(1), 1 / S(1) */
    lanes zz;                     /* S(zz), the error without a line */
    lanes top;
    struct line_fit best;     /* offset <= limit */
    struct line_fit mirrored; /* of -z, offset <= -limit */
    bool both;                /* search for `mirrored` too */
    bool lone;                /* not a part of a super-block */
    bool equal;               /* all weights are 1 */
};

LANES_OP lanes line_weigh(const struct line_search *s, size_t i, lanes v)
{
    if (s->equal)
        return v;
    return group_w(s->g, i, s->at) * v;
}

/* The range of each block, and the sums that centre it. */
LANES_OP void line_range(struct line_search *s, float offset_max)
{
    const struct group *g = s->g;
    lanes low = lanes_min(group_x(g, 0, s->at), lanes_all(offset_max));
    lanes high = group_x(g, 0, s->at);
    lanes sum = lanes_all(0), weight = sum;
    for (size_t i = 0; i < g->len; i++) {
        const lanes x = group_x(g, i, s->at), w = line_weigh(s, i, lanes_all(1));
        low = lanes_min(x, low);
        high = lanes_max(x, high);
        sum = lanes_fma(w, x, sum);
        weight = weight + w;
    }
    s->weight = weight;
    s->inverse_weight = lanes_all(1) / weight;
    s->mean = sum * s->inverse_weight;
    s->unit = s->top * lanes_inverse(high - low);
    s->low = (low - s->mean) * s->unit;
    s->limit = (lanes_all(offset_max) - s->mean) * s->unit;
}

/* offset_max: 0 (what a min, negated, may be) or INFINITY. */
LANES_OP void line_start(struct line_search *s, float offset_max)
{
    const struct line_fit none = {lanes_all(0), lanes_all(0), lanes_all(LINE_NO_GAIN),
                                  lanes_all(0), lanes_all(0)};
    line_range(s, offset_max);
    s->zz = lanes_all(0);
    for (size_t i = 0; i < s->g->len; i++) {
        s->z[i] = (group_x(s->g, i, s->at) - s->mean) * s->unit;
        s->zz = lanes_fma(line_weigh(s, i, s->z[i]), s->z[i], s->zz);
    }
    s->best = s->mirrored = none;
}

/* Of lines that are as good the one of smaller scale is better: a block ruled by one outlier
 * has many, and a large scale would coarsen that of the whole super-block. */
LANES_OP lanes_mask line_is_better(const struct line_search *s, const struct line_fit *fit,
                                   const struct line_fit *best)
{
    const lanes error = s->zz - best->gain;
    lanes slack = lanes_fma(error, lanes_all(1e-3f), s->zz * lanes_all(1e-5f));
    if (s->lone)
        slack = lanes_all(0);
    const lanes_mask smaller = lanes_less(fit->scale, best->scale);
    return lanes_less(best->gain + lanes_select(smaller, lanes_all(0) - slack, slack),
                      fit->gain);
}

/* Keeps the line that was fitted to levels with S(zq) = zq if it gains more than the best.
 * Where its offset is above the limit it is fitted once more with the limit as offset. */
LANES_OP void line_keep(const struct line_search *s, lanes limit, struct line_fit fit, lanes zq,
                        struct line_fit *best)
{
    const lanes_mask above = lanes_less(limit, fit.offset);
    const lanes pinned = lanes_fnma(limit, fit.q, zq);
    fit.scale = lanes_select(above, pinned / fit.qq, fit.scale);
    fit.offset = lanes_select(above, limit, fit.offset);
    fit.gain =
        lanes_select(above, lanes_fnma(limit * limit, s->weight, pinned * fit.scale), fit.gain);
    const lanes_mask upwards = lanes_less(lanes_all(0), fit.scale);
    fit.gain = lanes_select(upwards, fit.gain, lanes_all(2 * LINE_NO_GAIN));
    const lanes_mask better = line_is_better(s, &fit, best);
    best->scale = lanes_select(better, fit.scale, best->scale);
    best->offset = lanes_select(better, fit.offset, best->offset);
    best->gain = lanes_select(better, fit.gain, best->gain);
    best->q = lanes_select(better, fit.q, best->q);
    best->qq = lanes_select(better, fit.qq, best->qq);
}

/* The same line and levels for -z. */
LANES_OP struct line_fit line_mirror(const struct line_search *s, struct line_fit fit)
{
    const lanes all = s->top * s->weight;
    fit.qq = lanes_fma(s->top, all - (fit.q + fit.q), fit.qq);
    fit.q = all - fit.q;
    fit.offset = lanes_all(0) - lanes_fma(fit.scale, s->top, fit.offset);
    return fit;
}

/* Rounds by level = z * by + from, fits and keeps. */
LANES_OP void line_try(struct line_search *s, lanes by, lanes from)
{
    const lanes zero = lanes_all(0), infinite = lanes_all(INFINITY);
    struct line_fit fit = {.q = zero, .qq = zero};
    lanes zq = zero;
    for (size_t i = 0; i < s->g->len; i++) {
        const lanes level = lanes_level(lanes_fma(s->z[i], by, from), zero, s->top);
        const lanes wq = line_weigh(s, i, level);
        fit.q = fit.q + wq;
        fit.qq = lanes_fma(wq, level, fit.qq);
        zq = lanes_fma(wq, s->z[i], zq);
    }
    const lanes mean = fit.q * s->inverse_weight;
    const lanes spread = lanes_fnma(mean, fit.q, fit.qq);
    /* Levels that are all the same determine a line only together with the limit. */
    const lanes_mask sound = lanes_less(fit.qq * lanes_all(1e-6f), spread);
    fit.scale = lanes_select(sound, zq / spread, zero);
    fit.offset = zero - fit.scale * mean;
    fit.gain = zq * fit.scale;
    struct line_fit mirrored = line_mirror(s, fit);
    fit.offset = lanes_select(sound, fit.offset, infinite);
    mirrored.offset = lanes_select(sound, mirrored.offset, infinite);
    line_keep(s, s->limit, fit, zq, &s->best);
    if (s->both)
        line_keep(s, zero - s->limit, mirrored, zq, &s->mirrored);
}

/* A candidate: by how many steps the ends of the range move inwards. */
LANES_OP void line_try_ends(struct line_search *s, float top, float low, float high)
{
    const float by = top / (top - low - high);
    line_try(s, lanes_all(by), lanes_fnma(s->low, lanes_all(by), lanes_all(-low * by)));
}

/* Rounds with the best lines once more. */
LANES_OP void line_repeat(struct line_search *s)
{
    const lanes by = lanes_inverse(s->best.scale);
    line_try(s, by, lanes_all(0) - s->best.offset * by);
    if (s->both) {
        const lanes mirrored_by = lanes_inverse(s->mirrored.scale);
        line_try(s, mirrored_by, lanes_fma(s->mirrored.offset, mirrored_by, s->top));
    }
}

#endif
