/*
 * The best y = scale * level of each block of a group by itself, levels lo..hi with
 * lo < 0 < hi, for either sign of the scale: the range of levels is not symmetric.
 *
 * A candidate says where the element of largest magnitude lands; every element takes its
 * nearest level, and weighted least squares gives the scale for these levels. Elements are
 * taken relative to the one of largest magnitude (z), so that the candidates are the same
 * numbers for every block. Of the residual r = z - scale * q that a candidate leaves, the fit
 * takes the part along q away:
 *
 *     step = S(rq) / S(qq)      error = S(rr) - step * S(rq)       S(v): weighted sum of v
 *
 * Residuals and not squares of z are summed, as the difference of two large sums would lose
 * the digits that tell candidates apart. Inside quant/kernels/ only.
 */
#ifndef QUANT_KERNELS_FIT_SCALE_H
#define QUANT_KERNELS_FIT_SCALE_H

#include "quant/kernels/codebook.h"
#include "quant/kernels/group.h"

/* Scales of one vector of blocks, in z, with the error that remains and S(qq). */
struct scale_fit {
    lanes scale, error, qq;
};

/* One vector of blocks, and the best scales so far. */
struct scale_search {
    const struct group *g;
    size_t at;
    lanes z[GROUP_LEN];
    lanes extreme; /* z = x / extreme; 0 for a block of zeros */
    lanes least;   /* what is left of an exact fit is noise, and counts as this */
    lanes lo, hi;
    const struct codebook *codebook; /* NULL: the levels are the integers lo..hi */
    struct scale_fit up, down;       /* the scale has the sign of `extreme`, or the other */
};

LANES_OP void scale_start(struct scale_search *s)
{
    const struct scale_fit none = {lanes_all(0), lanes_all(INFINITY), lanes_all(0)};
    const struct group *g = s->g;
    lanes low = group_x(g, 0, s->at), high = low;
    for (size_t i = 1; i < g->len; i++) {
        low = lanes_min(group_x(g, i, s->at), low);
        high = lanes_max(group_x(g, i, s->at), high);
    }
    s->extreme = lanes_select(lanes_less(high, lanes_all(0) - low), low, high);
    const lanes unit = lanes_inverse(s->extreme);
    lanes zz = lanes_all(0);
    for (size_t i = 0; i < g->len; i++) {
        s->z[i] = group_x(g, i, s->at) * unit;
        zz = lanes_fma(group_w(g, i, s->at) * s->z[i], s->z[i], zz);
    }
    s->least = zz * lanes_all(1e-6f);
    s->up = s->down = none;
}

/* Of scales that are as good the smaller one is better: a block ruled by one outlier has
 * many, and a large scale would coarsen that of the whole super-block. */
LANES_OP void scale_keep(struct scale_fit fit, struct scale_fit *best)
{
    const lanes_mask smaller = lanes_less(lanes_abs(fit.scale), lanes_abs(best->scale));
    const lanes slack = lanes_select(smaller, lanes_all(1.0001f), lanes_all(0.9999f));
    const lanes_mask better = lanes_less(fit.error, best->error * slack);
    best->scale = lanes_select(better, fit.scale, best->scale);
    best->error = lanes_select(better, fit.error, best->error);
    best->qq = lanes_select(better, fit.qq, best->qq);
}

/* In each lane the fit with the smaller error. */
LANES_OP struct scale_fit scale_better(struct scale_fit a, struct scale_fit b)
{
    const lanes_mask second = lanes_less(b.error, a.error);
    return (struct scale_fit){lanes_select(second, b.scale, a.scale),
                              lanes_select(second, b.error, a.error),
                              lanes_select(second, b.qq, a.qq)};
}

/* Rounds by level = z * by, fits, and keeps in *best. */
LANES_OP void scale_try(const struct scale_search *s, lanes by, struct scale_fit *best)
{
    const lanes scale = lanes_inverse(by);
    lanes rr = lanes_all(0), rq = rr, qq = rr;
    for (size_t i = 0; i < s->g->len; i++) {
        const lanes q = level_nearest(s->codebook, s->z[i] * by, s->lo, s->hi);
        const lanes r = lanes_fnma(scale, q, s->z[i]);
        const lanes wq = group_w(s->g, i, s->at) * q, wr = group_w(s->g, i, s->at) * r;
        qq = lanes_fma(wq, q, qq);
        rq = lanes_fma(wq, r, rq);
        rr = lanes_fma(wr, r, rr);
    }
    const lanes_mask some = lanes_less(lanes_all(0), qq);
    const lanes step = lanes_select(some, rq / qq, lanes_all(0));
    const lanes error = lanes_max(lanes_fnma(step, rq, rr), s->least);
    const struct scale_fit fit = {scale + step, error, qq};
    scale_keep(fit, best);
}

/* Two candidates: the extreme element lands by `beyond` past either end of the range. */
LANES_OP void scale_try_ends(struct scale_search *s, float beyond)
{
    scale_try(s, s->hi + lanes_all(beyond), &s->up);
    scale_try(s, s->lo - lanes_all(beyond), &s->down);
}

/* Rounds with the best scales once more. */
LANES_OP void scale_repeat(struct scale_search *s)
{
    scale_try(s, lanes_inverse(s->up.scale), &s->up);
    scale_try(s, lanes_inverse(s->down.scale), &s->down);
}

#endif
