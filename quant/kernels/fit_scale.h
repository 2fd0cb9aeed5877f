/*
 * The best y = scale * level of each block of a group by itself, levels lo..hi with
 * lo < 0 < hi, for either sign of the scale: the range of levels is not symmetric.
 *
 * A candidate says where the element of largest magnitude lands; every element takes its
 * nearest level, and weighted least squares gives the scale for these levels. Elements are
 * taken relative to the one of largest magnitude (z), so that the candidates are the same
 * numbers for every block:
 *
 *     scale = S(zq) / S(qq)      error = S(zz) - scale * S(zq)      S(v): weighted sum of v
 *
 * The difference of two large sums knows the error to a millionth of S(zz). What is left to
 * chance by that does not matter to the sum of many blocks, but a super-block prefers the
 * smaller of scales that are as good (scale_keep), and takes that much for as good. Inside
 * quant/kernels/ only.
 */
#ifndef QUANT_KERNELS_FIT_SCALE_H
#define QUANT_KERNELS_FIT_SCALE_H

#include "quant/kernels/codebook.h"
#include "quant/kernels/group.h"

/* More than the error of any scale. */
#define SCALE_NO_FIT 0x1p100f

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
    lanes zz;      /* S(zz) */
    lanes least;   /* what is left of an exact fit is noise, and counts as this */
    lanes lo, hi;
    const struct codebook *codebook; /* NULL: the levels are the integers lo..hi */
    bool lone;                       /* not a part of a super-block */
    bool equal;                      /* all weights are 1 */
    struct scale_fit up, down;       /* the scale has the sign of `extreme`, or the other */
};

LANES_OP lanes scale_weigh(const struct scale_search *s, size_t i, lanes v)
{
    if (s->equal)
        return v;
    return group_w(s->g, i, s->at) * v;
}

LANES_OP void scale_start(struct scale_search *s)
{
    const struct scale_fit none = {lanes_all(0), lanes_all(SCALE_NO_FIT), lanes_all(0)};
    const struct group *g = s->g;
    lanes low, high;
    group_range(g, s->at, &low, &high);
    s->extreme = lanes_select(lanes_less(high, lanes_all(0) - low), low, high);
    const lanes unit = lanes_inverse(s->extreme);
    lanes zz = lanes_all(0);
    for (size_t i = 0; i < g->len; i++) {
        s->z[i] = group_x(g, i, s->at) * unit;
        zz = lanes_fma(scale_weigh(s, i, s->z[i]), s->z[i], zz);
    }
    s->zz = zz;
    s->least = zz * lanes_all(1e-6f);
    s->up = s->down = none;
}

/* Of scales that are as good the smaller one is better: a block ruled by one outlier has
 * many, and a large scale would coarsen that of the whole super-block. */
LANES_OP void scale_keep(const struct scale_search *s, const struct scale_fit *fit,
                         struct scale_fit *best)
{
    const lanes_mask smaller = lanes_less(lanes_abs(fit->scale), lanes_abs(best->scale));
    lanes slack = lanes_fma(best->error, lanes_all(1e-4f), s->least);
    if (s->lone)
        slack = lanes_all(0);
    const lanes_mask better = lanes_less(
        fit->error, best->error + lanes_select(smaller, slack, lanes_all(0) - slack));
    best->scale = lanes_select(better, fit->scale, best->scale);
    best->error = lanes_select(better, fit->error, best->error);
    best->qq = lanes_select(better, fit->qq, best->qq);
}

/* In each lane the fit with the smaller error. */
LANES_OP struct scale_fit scale_better(struct scale_fit a, struct scale_fit b)
{
    const lanes_mask second = lanes_less(b.error, a.error);
    return (struct scale_fit){lanes_select(second, b.scale, a.scale),
                              lanes_select(second, b.error, a.error),
                              lanes_select(second, b.qq, a.qq)};
}

/* S(zq) and S(qq) of a candidate. */
struct scale_sums {
    lanes zq, qq;
};

/* Element i, rounded by level = z * by. */
LANES_OP void scale_add(const struct scale_search *s, size_t i, lanes by,
                        struct scale_sums *sums)
{
    const lanes q = level_nearest(s->codebook, s->z[i] * by, s->lo, s->hi);
    const lanes wq = scale_weigh(s, i, q);
    sums->qq = lanes_fma(wq, q, sums->qq);
    sums->zq = lanes_fma(wq, s->z[i], sums->zq);
}

LANES_OP void scale_fit(const struct scale_search *s, const struct scale_sums *sums,
                        struct scale_fit *best)
{
    const lanes_mask some = lanes_less(lanes_all(0), sums->qq);
    const lanes scale = lanes_select(some, sums->zq / sums->qq, lanes_all(0));
    const lanes error = lanes_max(lanes_fnma(scale, sums->zq, s->zz), s->least);
    const struct scale_fit fit = {scale, error, sums->qq};
    scale_keep(s, &fit, best);
}

/* Rounds by level = z * by, fits, and keeps in *best. */
LANES_OP void scale_try(const struct scale_search *s, lanes by, struct scale_fit *best)
{
    struct scale_sums sums = {lanes_all(0), lanes_all(0)};
    for (size_t i = 0; i < s->g->len; i++)
        scale_add(s, i, by, &sums);
    scale_fit(s, &sums, best);
}

/* The same for either sign, side by side: sums that do not wait for each other. */
LANES_OP void scale_try_both(struct scale_search *s, lanes up, lanes down)
{
    struct scale_sums sums[2] = {{lanes_all(0), lanes_all(0)}, {lanes_all(0), lanes_all(0)}};
    for (size_t i = 0; i < s->g->len; i++) {
        scale_add(s, i, up, &sums[0]);
        scale_add(s, i, down, &sums[1]);
    }
    scale_fit(s, &sums[0], &s->up);
    scale_fit(s, &sums[1], &s->down);
}

/* Two candidates: the extreme element lands by `beyond` past either end of the range. */
LANES_OP void scale_try_ends(struct scale_search *s, float beyond)
{
    scale_try_both(s, s->hi + lanes_all(beyond), s->lo - lanes_all(beyond));
}

/* Rounds with the best scales once more. */
LANES_OP void scale_repeat(struct scale_search *s)
{
    scale_try_both(s, lanes_inverse(s->up.scale), lanes_inverse(s->down.scale));
}

#endif
