/*
 * Encoders of Q3_K, Q6_K and IQ4_XS: y = d * scale * level, scale and level of either sign.
 *
 * (a) The best scale of each sub-block by itself, of either sign; (b) of a row of values for d
 * the one for which integer scales come closest, by the curvature of the error around each
 * sub-block's best scale; (c) for each sub-block the best integer next to it by the true
 * error; (d) d refitted to the integers by least squares, and (c) again. The weights are those
 * of the type's row in k_quants.h (none for IQ4_XS without importance); the bound is that of
 * k_encode.c.
 */
#include "quant/kernels/fit_scale.h"
#include "quant/kernels/formats.h"
#include "quant/kernels/k_group.h"

/* How much is searched: one row a preset. */
struct plan {
    int ends; /* places where the extreme element lands, at either end of the range: */
    float beyond, step;      /* the first beyond the end, the others further in */
    int repeats;             /* times that the best scales are rounded again */
    int starts;              /* values of d, for either sign: */
    float widest, step_down; /* see best_start */
    int scales;              /* integers that are tried for each sign of each sub-block */
    int refits;
};

/* What every sub-block wishes for, one of either sign; the error that remains then, and how
 * fast it grows. */
struct wishes {
    struct wish {
        group_floats scale, error, qq;
    } sign[2];
};

/* ---- (a) Sub-blocks ---------------------------------------------------------------- */

LANES_OP void store_wish(const struct scale_search *s, const struct scale_fit *fit,
                         struct wish *wish)
{
    const lanes error = fit->error - s->least;
    group_set(&wish->scale, s->at, fit->scale * s->extreme);
    group_set(&wish->error, s->at, error * s->extreme * s->extreme);
    group_set(&wish->qq, s->at, fit->qq);
}

LANES_OP void make_wishes(const struct group *g, const struct k_shape *shape,
                          const struct plan *plan, struct wishes *wishes)
{
    FOR_LANES (at) {
        struct scale_search s = {.g = g,
                                 .at = at,
                                 .lo = lanes_all((float)shape->level_lo),
                                 .hi = lanes_all((float)shape->level_hi),
                                 .codebook = shape->codebook};
        scale_start(&s);
        for (int i = 0; i < plan->ends; i++)
            scale_try_ends(&s, plan->beyond - (float)i * plan->step);
        for (int i = 0; i < plan->repeats; i++)
            scale_repeat(&s);
        store_wish(&s, &s.up, &wishes->sign[0]);
        store_wish(&s, &s.down, &wishes->sign[1]);
    }
}

/* ---- (b) d --------------------------------------------------------------------------- */

#define STARTS_MAX 64

/* The largest of the better wishes. */
LANES_OP float widest_wish(const struct wishes *w, size_t first, size_t n)
{
    float scale = 0;
    for (size_t j = first; j < first + n; j++) {
        const int better = w->sign[1].error.of[j] < w->sign[0].error.of[j];
        const float wish = fabsf(w->sign[better].scale.of[j]);
        scale = wish > scale ? wish : scale;
    }
    return scale;
}

/* Wishes with the integers nearest to them, and what their sub-blocks lose then, if they keep
 * their levels. */
struct offer {
    lanes scale, qq, integer, loss;
};

LANES_OP struct offer offer_of(const struct k_shape *shape, lanes d, lanes scale, lanes error,
                               lanes qq)
{
    const lanes integer =
        lanes_level(scale * lanes_inverse(d), lanes_all((float)shape->scale_lo),
                    lanes_all((float)shape->scale_hi));
    const lanes off = lanes_fnma(integer, d, scale);
    return (struct offer){scale, qq, integer, lanes_fma(qq * off, off, error)};
}

/* What sub-block j loses at best. */
LANES_OP lanes least_loss(const struct k_shape *shape, const struct wishes *w, size_t j,
                          lanes d)
{
    lanes least = lanes_all(INFINITY);
    for (int sign = 0; sign < 2; sign++) {
        const struct wish *wish = &w->sign[sign];
        const struct offer offer =
            offer_of(shape, d, lanes_all(wish->scale.of[j]), lanes_all(wish->error.of[j]),
                     lanes_all(wish->qq.of[j]));
        least = lanes_min(offer.loss, least);
    }
    return least;
}

/* The best d of a super-block whose first lane is `first`. Start i puts the widest wish on the
 * integer `widest` - i * `step_down`, for either sign. An integer past scale_hi means that this
 * wish is cut short so that the others fit better. */
LANES_OP float best_start(const struct k_shape *shape, const struct plan *plan,
                          const struct wishes *w, size_t first)
{
    const size_t n = (size_t)shape->n_sub, half = (size_t)plan->starts;
    const float scale = widest_wish(w, first, n);
    _Alignas(64) float starts[2 * STARTS_MAX], losses[2 * STARTS_MAX];
    size_t best = 0;
    for (size_t i = 0; i < half; i++) {
        starts[i] = scale / (plan->widest - plan->step_down * (float)i);
        starts[half + i] = -starts[i];
    }
    for (size_t i = 0; i < 2 * half; i += QUANT_LANES) {
        const lanes start = lanes_half_scale(lanes_load(starts + i));
        lanes loss = lanes_all(0);
        for (size_t j = first; j < first + n; j++)
            loss = loss + least_loss(shape, w, j, start);
        lanes_store(losses + i, loss);
        lanes_store(starts + i, start);
    }
    for (size_t i = 1; i < 2 * half; i++)
        best = losses[i] < losses[best] ? i : best;
    return starts[best];
}

/* What loses less of a vector of sub-blocks. */
LANES_OP struct offer best_offer(const struct k_shape *shape, const struct wishes *w, size_t at,
                                 lanes d)
{
    struct offer offer[2];
    for (int sign = 0; sign < 2; sign++)
        offer[sign] =
            offer_of(shape, d, group_of(&w->sign[sign].scale, at),
                     group_of(&w->sign[sign].error, at), group_of(&w->sign[sign].qq, at));
    const lanes_mask second = lanes_less(offer[1].loss, offer[0].loss);
    return (struct offer){lanes_select(second, offer[1].scale, offer[0].scale),
                          lanes_select(second, offer[1].qq, offer[0].qq),
                          lanes_select(second, offer[1].integer, offer[0].integer),
                          lanes_select(second, offer[1].loss, offer[0].loss)};
}

/* d = sum(u * xq) / sum(u^2 * qq) over the sub-blocks of each super-block, u their integers: by
 * least squares. */
LANES_OP void solve(const struct k_shape *shape, const group_floats *xu, const group_floats *uu,
                    struct k_lanes *p)
{
    const size_t n = (size_t)shape->n_sub;
    for (size_t first = 0; first < GROUP; first += n) {
        const float up = part_sum(xu, first, n), down = part_sum(uu, first, n);
        if (down > 0)
            part_fill(&p->d, first, n, k_half(up / down));
    }
}

/* d refitted to the integers of the best offers, without a look at the elements: for the levels
 * that a wish was fitted to, S(xq) is wish * S(qq). */
LANES_OP void polish(const struct k_shape *shape, const struct wishes *w, struct k_lanes *p)
{
    group_floats xu, uu;
    FOR_LANES (at) {
        const struct offer best = best_offer(shape, w, at, group_of(&p->d, at));
        const lanes weight = best.integer * best.qq;
        group_set(&xu, at, weight * best.scale);
        group_set(&uu, at, weight * best.integer);
    }
    solve(shape, &xu, &uu, p);
}

/* ---- (c) Integers ------------------------------------------------------------------- */

/* The best integers of one vector of sub-blocks so far. */
struct choice {
    lanes scale, error;
};

LANES_OP void try_integer(const struct group *g, const struct k_shape *shape, size_t at,
                          lanes d, lanes scale, struct choice *best)
{
    scale = lanes_clamp(scale, lanes_all((float)shape->scale_lo),
                        lanes_all((float)shape->scale_hi));
    const struct k_line line = k_line_of(shape, d * scale, lanes_all(0));
    const lanes error = k_error(g, at, &line);
    const lanes_mask better = lanes_less(error, best->error);
    best->scale = lanes_select(better, scale, best->scale);
    best->error = lanes_select(better, error, best->error);
}

/* For each sub-block the best of plan->scales integers around each of its wishes. */
LANES_OP void choose_integers(const struct group *g, const struct k_shape *shape,
                              const struct plan *plan, const struct wishes *w,
                              struct k_lanes *p)
{
    const float limit = (float)(shape->scale_hi + 2);
    group_floats errors;
    FOR_LANES (at) {
        const lanes d = group_of(&p->d, at), inverse = lanes_inverse(d);
        const lanes lowest = lanes_all(-0.5f * (float)(plan->scales - 1));
        struct choice best = {lanes_all(0), lanes_all(INFINITY)};
        for (int sign = 0; sign < 2; sign++) {
            const lanes wish = group_of(&w->sign[sign].scale, at);
            const lanes from = lanes_level(lanes_fma(wish, inverse, lowest), lanes_all(-limit),
                                           lanes_all(limit));
            for (int i = 0; i < plan->scales; i++)
                try_integer(g, shape, at, d, from + lanes_all((float)i), &best);
        }
        group_set(&p->scale, at, best.scale);
        group_set(&errors, at, best.error);
    }
    k_sum_errors(shape, &errors, p->error);
}

/* ---- (d) Least squares for d ------------------------------------------------------------- */

LANES_OP void refit(const struct group *g, const struct k_shape *shape, struct k_lanes *p)
{
    group_floats xu, uu;
    FOR_LANES (at) {
        const struct k_line line = k_line_at(shape, p, at);
        const lanes u = group_of(&p->scale, at);
        lanes qq = lanes_all(0), xq = qq;
        for (size_t i = 0; i < g->len; i++) {
            const lanes x = group_x(g, i, at), q = k_level(&line, x);
            const lanes wq = group_w(g, i, at) * q;
            qq = lanes_fma(wq, q, qq);
            xq = lanes_fma(wq, x, xq);
        }
        group_set(&xu, at, u * xq);
        group_set(&uu, at, u * u * qq);
    }
    solve(shape, &xu, &uu, p);
}

/* ---- Rounding to nearest, and the reference ------------------------------------------- */

/* The d that puts the largest of the scales in p->scale on the lowest integer, and the
 * integers nearest to them. */
LANES_OP void snap(const struct k_shape *shape, struct k_lanes *p)
{
    const size_t n = (size_t)shape->n_sub;
    p->dmin = p->min = (group_floats){{0}};
    for (size_t first = 0; first < GROUP; first += n) {
        float largest = 0;
        for (size_t j = first; j < first + n; j++)
            largest = fabsf(p->scale.of[j]) > fabsf(largest) ? p->scale.of[j] : largest;
        part_fill(&p->d, first, n, k_half(largest / (float)shape->scale_lo));
    }
    FOR_LANES (at) {
        const lanes scale = group_of(&p->scale, at) / group_of(&p->d, at);
        group_set(&p->scale, at,
                  lanes_level(scale, lanes_all((float)shape->scale_lo),
                              lanes_all((float)shape->scale_hi)));
    }
}

/* The extreme element of each sub-block lands on the lowest level. */
LANES_OP void round_to_nearest(const struct group *g, const struct k_shape *shape,
                               struct k_lanes *p)
{
    FOR_LANES (at)
        group_set(&p->scale, at, group_extreme(g, at) / lanes_all((float)shape->level_lo));
    snap(shape, p);
}

/* llama-quantize's own candidates: the extreme element lands around the lowest level, up to a
 * level on either side; d is that of the largest scale. Its Q3_K without importance begins on
 * the lowest level and goes on from there, for which the last rounds stand. */
LANES_OP void make_reference(struct k_job *job, const struct k_shape *shape)
{
    const float step = shape->codebook ? 1 : 0.1f;
    struct k_lanes *p = &job->reference;
    FOR_LANES (at) {
        struct scale_search s = {.g = &job->g,
                                 .at = at,
                                 .lo = lanes_all((float)shape->level_lo),
                                 .hi = lanes_all((float)shape->level_hi),
                                 .codebook = shape->codebook};
        scale_start(&s);
        for (int i = -9; i <= 9; i++)
            scale_try(&s, s.lo - lanes_all(step * (float)i), &s.down);
        for (int i = 0; i < 5; i++)
            scale_try(&s, lanes_inverse(s.down.scale), &s.down);
        group_set(&p->scale, at, s.down.scale * s.extreme);
    }
    snap(shape, p);
    k_measure(shape, &job->g, p);
}

/* ---- Super-blocks --------------------------------------------------------------------- */

LANES_OP void search(struct k_job *job, const struct k_shape *shape, const struct plan *plan)
{
    const size_t n = (size_t)shape->n_sub;
    struct wishes wishes;
    struct k_lanes p = {.dmin = {{0}}, .min = {{0}}};
    make_wishes(&job->g, shape, plan, &wishes);
    for (size_t first = 0; first < GROUP; first += n) {
        part_fill(&p.d, first, n, best_start(shape, plan, &wishes, first));
        job->sign[first / n] = 1;
    }
    polish(shape, &wishes, &p);
    choose_integers(&job->g, shape, plan, &wishes, &p);
    job->best = p;
    for (int i = 0; i < plan->refits; i++) {
        refit(&job->g, shape, &p);
        choose_integers(&job->g, shape, plan, &wishes, &p);
        k_keep(shape, &p, &job->best);
    }
}

/* ---- Presets -------------------------------------------------------------------------- */

K_SEARCHED(q3_K)
K_SEARCHED(q6_K)
K_SEARCHED(iq4_xs)
/* clang-format off */
/*                         never worse       ends beyond step   repeats starts widest  step_down scales refits */
K_ENCODER(q3_K,   fast,    NULL,             5,   0.9f,  0.4f,  0,      8,     35,     1.0f,     2,     0)
K_ENCODER(q3_K,   default, NULL,             8,   1.2f,  0.3f,  1,      32,    35.75f, 0.25f,    2,     1)
K_ENCODER(q3_K,   best,    reference_q3_K,   16,  1.8f,  0.2f,  3,      64,    36,     0.125f,   3,     3)
K_ENCODER(q6_K,   fast,    NULL,             3,   1.0f,  0.8f,  0,      8,     142,    3.0f,     2,     0)
K_ENCODER(q6_K,   default, NULL,             12,  1.0f,  0.8f,  0,      32,    142,    0.75f,    2,     1)
K_ENCODER(q6_K,   best,    reference_q6_K,   24,  1.0f,  0.4f,  1,      64,    146,    0.5f,     4,     3)
K_ENCODER(iq4_xs, fast,    NULL,             2,   20,    24,    1,      16,    35,     0.5f,     1,     1)
K_ENCODER(iq4_xs, default, NULL,             8,   50,    10,    1,      32,    36,     0.25f,    2,     1)
K_ENCODER(iq4_xs, best,    reference_iq4_xs, 20,  55,    4,     3,      64,    36,     0.125f,   3,     3)
/* clang-format on */
