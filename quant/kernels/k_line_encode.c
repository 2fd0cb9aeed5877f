/*
 * Encoders of Q2_K, Q4_K and Q5_K: y = d * scale * level - dmin * min.
 *
 * (a) The best line of each sub-block by itself, and the mirrored one; (b) d and dmin: of a
 * grid of values those for which integer scales and mins come closest, by the curvature of
 * the error around each sub-block's best line, then least squares by the same curvature; (c)
 * for each sub-block the best integers next to it by the true error; (d) d and dmin refitted to
 * the integers by least squares, and (c) again. A super-block that is better mirrored is
 * negated, and so are its d and dmin then.
 */
#include "quant/kernels/fit_line.h"
#include "quant/kernels/formats.h"
#include "quant/kernels/k_group.h"

#include <string.h>

/* Whether a super-block is mirrored: y = dmin * min - d * scale * level. */
enum sides {
    BY_RANGE, /* if its sub-blocks then have the smaller ranges */
    BY_SEARCH /* if it is better so: both are searched */
};

/* How much is searched: one row a preset. */
struct plan {
    int ends;             /* places of each end of the range that are tried: */
    const float *inwards; /* how many steps between levels it moves inwards */
    int repeats;          /* times that the best line is rounded again */
    enum sides sides;
    int starts, mins_tried; /* values of d, and of dmin */
    float reach;            /* see make_starts */
    int scales, mins;       /* integers that are tried for each sub-block */
    int refits;
};

/* What every sub-block wishes for, and the sums of its levels. */
struct wishes {
    group_floats scale, min, gain;
    group_floats q, qq, weight;
};

/* ---- (a) Sub-blocks ---------------------------------------------------------------- */

static inline void store_wish(const struct line_search *s, const struct line_fit *fit,
                              lanes mean, struct wishes *wishes)
{
    const lanes size = lanes_inverse(s->unit);
    const lanes min = lanes_all(0) - lanes_fma(fit->offset, size, mean);
    group_set(&wishes->scale, s->at, fit->scale * size);
    group_set(&wishes->min, s->at, lanes_max(min, lanes_all(0)));
    /* 0 for a block without a range, which the min alone expresses */
    const lanes_mask some = lanes_less(lanes_all(0), fit->scale * size);
    group_set(&wishes->gain, s->at, lanes_select(some, fit->gain * size * size, lanes_all(0)));
    group_set(&wishes->q, s->at, fit->q);
    group_set(&wishes->qq, s->at, fit->qq);
    group_set(&wishes->weight, s->at, s->weight);
}

/* wishes[1] are the mirrored ones. */
LANES_OP void make_wishes(const struct group *g, const struct k_shape *shape,
                          const struct plan *plan, struct wishes wishes[2])
{
    const float top = (float)shape->level_hi;
    FOR_LANES (at) {
        struct line_search s = {
            .g = g, .at = at, .top = lanes_all(top), .both = plan->sides == BY_SEARCH};
        line_start(&s, 0);
        for (int low = 0; low < plan->ends; low++)
            for (int high = 0; high < plan->ends; high++)
                line_try_ends(&s, top, plan->inwards[low], plan->inwards[high]);
        for (int i = 0; i < plan->repeats; i++)
            line_repeat(&s);
        store_wish(&s, &s.best, s.mean, &wishes[0]);
        if (plan->sides == BY_SEARCH)
            store_wish(&s, &s.mirrored, lanes_all(0) - s.mean, &wishes[1]);
    }
}

/* ---- (b) d and dmin ------------------------------------------------------------------ */

#define STARTS_MAX 24

/* A grid of values for d and dmin, and what they lose against the wishes of the sub-blocks:
 * one start a lane. */
struct starts {
    _Alignas(64) float d[STARTS_MAX * STARTS_MAX];
    _Alignas(64) float dmin[STARTS_MAX * STARTS_MAX];
    _Alignas(64) float loss[STARTS_MAX * STARTS_MAX];
    size_t n;
};

/* Around what the largest wishes ask for: a little less is better most of the time, as one
 * sub-block then suffers and the others gain. Where integers are few it may be that the others
 * need a d far above it (`reach`), and that the largest has levels for that. */
LANES_OP void make_starts(float d, float dmin, const struct plan *plan, struct starts *starts)
{
    const float from = 0.93f, width = 0.1f;
    const int n = plan->starts, m = plan->mins_tried;
    starts->n = 0;
    for (int i = 0; i < n; i++)
        for (int k = 0; k < m; k++, starts->n++) {
            const float part = (float)i / (float)(n - 1);
            starts->d[starts->n] = d * (from + part * (width + part * plan->reach));
            starts->dmin[starts->n] = dmin * (from + width * (float)k / (float)(m - 1));
        }
    for (size_t i = 0; i < starts->n; i += QUANT_LANES) {
        lanes_store(starts->d + i, lanes_half_scale(lanes_load(starts->d + i)));
        lanes_store(starts->dmin + i, lanes_half_scale(lanes_load(starts->dmin + i)));
    }
}

/* Wishes, and the sums of their levels: of one sub-block, or of a vector of them. */
struct wish {
    lanes scale, min, q, qq, weight;
    lanes slope; /* q / weight: by this much the min grows with the scale */
};

LANES_OP struct wish wish_of_all(const struct wishes *w, size_t j)
{
    return (struct wish){lanes_all(w->scale.of[j]),  lanes_all(w->min.of[j]),
                         lanes_all(w->q.of[j]),      lanes_all(w->qq.of[j]),
                         lanes_all(w->weight.of[j]), lanes_all(w->q.of[j] / w->weight.of[j])};
}

LANES_OP struct wish wish_at(const struct wishes *w, size_t at)
{
    const lanes q = group_of(&w->q, at), weight = group_of(&w->weight, at);
    return (struct wish){group_of(&w->scale, at),
                         group_of(&w->min, at),
                         q,
                         group_of(&w->qq, at),
                         weight,
                         q / weight};
}

/* Integers for a wish, and what a sub-block loses with them, if it keeps its levels. */
struct offer {
    lanes scale, min, loss;
};

/* Of two scales next to the wish, each with the min that then fits best, the one that loses
 * less: the change of the error is
 *
 *     S(qq) ds^2 - 2 S(q) ds dm + S(1) dm^2    ds, dm: from the wish to what is stored
 */
LANES_OP struct offer offer_of(const struct k_shape *shape, const struct wish *w, lanes d,
                               lanes dmin)
{
    const lanes zero = lanes_all(0), one = lanes_all(1);
    const lanes scale_hi = lanes_all((float)shape->scale_hi);
    const lanes inverse = lanes_inverse(d), inverse_min = lanes_inverse(dmin);
    struct offer best = {zero, zero, lanes_all(INFINITY)};
    lanes scale = lanes_level(lanes_fma(w->scale, inverse, lanes_all(-0.5f)), zero, scale_hi);
    for (int i = 0; i < 2; i++, scale = lanes_min(scale + one, scale_hi)) {
        const lanes ds = lanes_fma(scale, d, zero - w->scale);
        const lanes min = lanes_level(lanes_fma(ds, w->slope, w->min) * inverse_min, zero,
                                      lanes_all((float)shape->min_hi));
        const lanes dm = lanes_fma(min, dmin, zero - w->min);
        const lanes along = lanes_fma(w->qq, ds, lanes_all(-2) * w->q * dm) * ds;
        const lanes loss = lanes_fma(w->weight * dm, dm, along);
        const lanes_mask better = lanes_less(loss, best.loss);
        best.scale = lanes_select(better, scale, best.scale);
        best.min = lanes_select(better, min, best.min);
        best.loss = lanes_select(better, loss, best.loss);
    }
    return best;
}

/* d and dmin, and the error of the super-block with them, less a constant. */
struct start {
    float d, dmin, loss;
};

/* The start that loses least in the super-block whose first lane is `first`. */
LANES_OP void best_start(const struct k_shape *shape, const struct plan *plan,
                         const struct wishes *w, size_t first, struct start *out)
{
    const size_t n = (size_t)shape->n_sub;
    struct starts starts;
    make_starts(part_max(&w->scale, first, n) / (float)shape->scale_hi,
                part_max(&w->min, first, n) / (float)shape->min_hi, plan, &starts);
    size_t best = 0;
    for (size_t i = 0; i < starts.n; i += QUANT_LANES) {
        const lanes d = lanes_load(starts.d + i), dmin = lanes_load(starts.dmin + i);
        lanes loss = lanes_all(0);
        for (size_t j = first; j < first + n; j++) {
            const struct wish wish = wish_of_all(w, j);
            loss = loss + offer_of(shape, &wish, d, dmin).loss;
        }
        lanes_store(starts.loss + i, loss);
    }
    for (size_t i = 1; i < starts.n; i++)
        best = starts.loss[i] < starts.loss[best] ? i : best;
    out->d = starts.d[best];
    out->dmin = starts.dmin[best];
    out->loss = starts.loss[best] - part_sum(&w->gain, first, n);
}

/* Weighted sums of each sub-block for the model x = d * u - dmin * v with u = scale * level
 * and v = min. */
struct sums {
    group_floats uu, uv, vv, xu, xv;
};

/* Where the integers do not determine both, dmin stays. */
static inline void solve(const struct sums *s, size_t first, size_t n, float *d, float *dmin)
{
    const double uu = (double)part_sum(&s->uu, first, n),
                 uv = (double)part_sum(&s->uv, first, n);
    const double vv = (double)part_sum(&s->vv, first, n),
                 xu = (double)part_sum(&s->xu, first, n);
    const double xv = (double)part_sum(&s->xv, first, n), det = uu * vv - uv * uv;
    if (!(uu > 0))
        return;
    if (det > 1e-6 * uu * vv) {
        *d = k_half((float)((xu * vv - xv * uv) / det));
        *dmin = k_half((float)((xu * uv - xv * uu) / det));
    } else {
        *d = k_half((float)((xu + (double)*dmin * uv) / uu));
    }
}

LANES_OP void solve_all(const struct sums *sums, const struct k_shape *shape, struct k_lanes *p)
{
    const size_t n = (size_t)shape->n_sub;
    for (size_t first = 0; first < GROUP; first += n) {
        float d = p->d.of[first], dmin = p->dmin.of[first];
        solve(sums, first, n, &d, &dmin);
        part_fill(&p->d, first, n, d);
        part_fill(&p->dmin, first, n, dmin);
    }
}

/* d and dmin refitted to the integers that are offered, without a look at the elements: for the
 * levels that a wish was fitted to, S(xq) and S(x) are those of its line. */
LANES_OP void polish(const struct k_shape *shape, const struct wishes *w, struct k_lanes *p)
{
    struct sums sums;
    FOR_LANES (at) {
        const struct wish wish = wish_at(w, at);
        const struct offer offer =
            offer_of(shape, &wish, group_of(&p->d, at), group_of(&p->dmin, at));
        const lanes u = offer.scale, v = offer.min;
        group_set(&sums.uu, at, u * u * wish.qq);
        group_set(&sums.uv, at, u * v * wish.q);
        group_set(&sums.vv, at, v * v * wish.weight);
        group_set(&sums.xu, at, u * lanes_fnma(wish.min, wish.q, wish.scale * wish.qq));
        group_set(&sums.xv, at, v * lanes_fnma(wish.min, wish.weight, wish.scale * wish.q));
    }
    solve_all(&sums, shape, p);
}

/* ---- (c) Integers ------------------------------------------------------------------- */

/* The best integers of one vector of sub-blocks so far. */
struct choice {
    lanes scale, min, error;
};

/* The vector of sub-blocks that begins at lane `at`, with d and dmin of its super-blocks. */
struct place {
    const struct group *g;
    const struct k_shape *shape;
    size_t at;
    lanes d, dmin;
};

LANES_OP void try_integers(const struct place *place, lanes scale, lanes min,
                           struct choice *best)
{
    const struct k_shape *shape = place->shape;
    scale = lanes_clamp(scale, lanes_all(0), lanes_all((float)shape->scale_hi));
    min = lanes_clamp(min, lanes_all(0), lanes_all((float)shape->min_hi));
    const struct k_line line = k_line_of(shape, place->d * scale, place->dmin * min);
    const lanes error = k_error(place->g, place->at, &line);
    const lanes_mask better = lanes_less(error, best->error);
    best->scale = lanes_select(better, scale, best->scale);
    best->min = lanes_select(better, min, best->min);
    best->error = lanes_select(better, error, best->error);
}

/* For each sub-block the best of plan->scales scales around its wish, each with plan->mins
 * mins around the one that fits it. */
LANES_OP void choose_integers(const struct group *g, const struct k_shape *shape,
                              const struct plan *plan, const struct wishes *w,
                              struct k_lanes *p)
{
    group_floats errors;
    FOR_LANES (at) {
        const struct place place = {g, shape, at, group_of(&p->d, at), group_of(&p->dmin, at)};
        const lanes zero = lanes_all(0);
        const lanes wish = group_of(&w->scale, at), min = group_of(&w->min, at);
        const lanes slope = group_of(&w->q, at) / group_of(&w->weight, at);
        const lanes inverse_min = lanes_inverse(place.dmin);
        const lanes lowest = lanes_all(-0.5f * (float)(plan->scales - 1));
        const lanes from =
            lanes_round(lanes_clamp(lanes_fma(wish, lanes_inverse(place.d), lowest),
                                    zero - lanes_all(1), lanes_all((float)shape->scale_hi)));
        struct choice best = {zero, zero, lanes_all(INFINITY)};
        const int around = plan->mins / 2;
        for (int i = 0; i < plan->scales; i++) {
            const lanes scale = from + lanes_all((float)i);
            const lanes fitting = lanes_fma(lanes_fma(scale, place.d, zero - wish), slope, min);
            const lanes nearest =
                lanes_level(fitting * inverse_min, zero, lanes_all((float)shape->min_hi));
            for (int k = 0; k < plan->mins; k++)
                try_integers(&place, scale, nearest + lanes_all((float)(k - around)), &best);
        }
        group_set(&p->scale, at, best.scale);
        group_set(&p->min, at, best.min);
        group_set(&errors, at, best.error);
    }
    k_sum_errors(shape, &errors, p->error);
}

/* ---- (d) Least squares for d and dmin ----------------------------------------------- */

LANES_OP void sum_integers(const struct group *g, const struct k_shape *shape,
                           const struct k_lanes *p, struct sums *sums)
{
    FOR_LANES (at) {
        const struct k_line line = k_line_at(shape, p, at);
        const lanes u = group_of(&p->scale, at), v = group_of(&p->min, at);
        lanes q = lanes_all(0), qq = q, w1 = q, xq = q, x1 = q;
        for (size_t i = 0; i < g->len; i++) {
            const lanes x = group_x(g, i, at), w = group_w(g, i, at);
            const lanes level = k_level(&line, x), wq = w * level;
            q = q + wq;
            qq = lanes_fma(wq, level, qq);
            w1 = w1 + w;
            xq = lanes_fma(wq, x, xq);
            x1 = lanes_fma(w, x, x1);
        }
        group_set(&sums->uu, at, u * u * qq);
        group_set(&sums->uv, at, u * v * q);
        group_set(&sums->vv, at, v * v * w1);
        group_set(&sums->xu, at, u * xq);
        group_set(&sums->xv, at, v * x1);
    }
}

LANES_OP void refit(const struct group *g, const struct k_shape *shape, struct k_lanes *p)
{
    struct sums sums;
    sum_integers(g, shape, p, &sums);
    solve_all(&sums, shape, p);
}

/* ---- Rounding to nearest, and the reference ------------------------------------------- */

/* The d and dmin that the largest scale and min ask for, and the integers nearest to them, for
 * the wishes that p->scale and p->min are. */
LANES_OP void snap(const struct k_shape *shape, struct k_lanes *p)
{
    const size_t n = (size_t)shape->n_sub;
    for (size_t first = 0; first < GROUP; first += n) {
        const float d = part_max(&p->scale, first, n) / (float)shape->scale_hi;
        part_fill(&p->d, first, n, k_half(d));
        const float dmin = part_max(&p->min, first, n) / (float)shape->min_hi;
        part_fill(&p->dmin, first, n, k_half(dmin));
    }
    FOR_LANES (at) {
        const lanes scale = group_of(&p->scale, at) / group_of(&p->d, at);
        const lanes min = group_of(&p->min, at) / group_of(&p->dmin, at);
        group_set(&p->scale, at,
                  lanes_level(scale, lanes_all(0), lanes_all((float)shape->scale_hi)));
        group_set(&p->min, at, lanes_level(min, lanes_all(0), lanes_all((float)shape->min_hi)));
    }
}

/* The range of each sub-block is covered exactly. */
LANES_OP void round_to_nearest(const struct group *g, const struct k_shape *shape,
                               struct k_lanes *p)
{
    FOR_LANES (at) {
        lanes low, high;
        group_range(g, at, &low, &high);
        low = lanes_min(low, lanes_all(0));
        group_set(&p->scale, at, (high - low) / lanes_all((float)shape->level_hi));
        group_set(&p->min, at, lanes_all(0) - low);
    }
    snap(shape, p);
}

/* llama-quantize's own candidates: the upper end of the range alone moves, by up to a step
 * either way; d and dmin are those of the largest. */
LANES_OP void make_reference(struct k_job *job, const struct k_shape *shape)
{
    const float top = (float)shape->level_hi;
    struct k_lanes *p = &job->reference;
    FOR_LANES (at) {
        struct line_search s = {.g = &job->g, .at = at, .top = lanes_all(top)};
        line_start(&s, 0);
        for (int i = -10; i <= 10; i++)
            line_try_ends(&s, top, 0, top - top * top / (top + 0.1f * (float)i));
        const lanes size = lanes_inverse(s.unit);
        const lanes min = lanes_all(0) - lanes_fma(s.best.offset, size, s.mean);
        group_set(&p->scale, at, s.best.scale * size);
        group_set(&p->min, at, lanes_max(min, lanes_all(0)));
    }
    snap(shape, p);
    k_measure(shape, &job->g, p);
}

/* ---- Super-blocks --------------------------------------------------------------------- */

/* Of one super-block. */
static void negate(struct k_job *job, size_t first, size_t n)
{
    job->sign[first / n] = -job->sign[first / n];
    for (size_t i = 0; i < job->g.len; i++)
        for (size_t l = first; l < first + n; l++)
            job->g.x[i][l] = -job->g.x[i][l];
}

/* Negates super-blocks whose sub-blocks then have the smaller ranges: where all numbers are
 * positive, as a range always includes zero. */
LANES_OP void choose_sides(struct k_job *job, const struct k_shape *shape)
{
    const size_t n = (size_t)shape->n_sub;
    group_floats range, mirrored;
    FOR_LANES (at) {
        const lanes zero = lanes_all(0);
        lanes low, high;
        group_range(&job->g, at, &low, &high);
        const lanes up = high - lanes_min(low, zero), down = lanes_max(high, zero) - low;
        group_set(&range, at, up * up);
        group_set(&mirrored, at, down * down);
    }
    for (size_t first = 0; first < GROUP; first += n) {
        job->sign[first / n] = 1;
        if (part_sum(&mirrored, first, n) < part_sum(&range, first, n))
            negate(job, first, n);
    }
}

/* Of one super-block. */
static void take_mirrored(struct wishes wishes[2], size_t first, size_t n)
{
    const size_t bytes = n * sizeof(float);
    memcpy(wishes[0].scale.of + first, wishes[1].scale.of + first, bytes);
    memcpy(wishes[0].min.of + first, wishes[1].min.of + first, bytes);
    memcpy(wishes[0].q.of + first, wishes[1].q.of + first, bytes);
    memcpy(wishes[0].qq.of + first, wishes[1].qq.of + first, bytes);
}

/* d and dmin of each super-block; its side too, if both were searched. */
LANES_OP void start(struct k_job *job, const struct k_shape *shape, const struct plan *plan,
                    struct wishes wishes[2], struct k_lanes *p)
{
    const size_t n = (size_t)shape->n_sub;
    for (size_t first = 0; first < GROUP; first += n) {
        struct start best, other;
        best_start(shape, plan, &wishes[0], first, &best);
        if (plan->sides == BY_SEARCH) {
            best_start(shape, plan, &wishes[1], first, &other);
            if (other.loss < best.loss) {
                best = other;
                negate(job, first, n);
                take_mirrored(wishes, first, n);
            }
        }
        part_fill(&p->d, first, n, best.d);
        part_fill(&p->dmin, first, n, best.dmin);
    }
}

LANES_OP void search(struct k_job *job, const struct k_shape *shape, const struct plan *plan)
{
    struct wishes wishes[2]; /* in [0], in the end, those of the chosen side */
    struct k_lanes p;
    choose_sides(job, shape);
    make_wishes(&job->g, shape, plan, wishes);
    start(job, shape, plan, wishes, &p);
    polish(shape, &wishes[0], &p);
    choose_integers(&job->g, shape, plan, &wishes[0], &p);
    job->best = p;
    for (int i = 0; i < plan->refits; i++) {
        refit(&job->g, shape, &p);
        choose_integers(&job->g, shape, plan, &wishes[0], &p);
        k_keep(shape, &p, &job->best);
    }
}

/* ---- Presets -------------------------------------------------------------------------- */

K_SEARCHED(q2_K)
K_SEARCHED(q4_K)
K_SEARCHED(q5_K)

/* How far the ends move, in the order of use. With many levels an end that moves outwards is
 * worth as much as one that moves inwards, as the error is all but a matter of luck; with few
 * it loses a level. */
static const float few[] = {0, 0.25f, 0.5f, -0.2f, 0.8f, -0.4f, 1.1f};
static const float three[] = {0.3f, -0.1f, -0.55f};
static const float six[] = {0.2f, -0.2f, 0.6f, -0.6f, 1, -1};
static const float eight[] = {0.05f, -0.3f, 0.4f, -0.65f, 0.75f, -1, 1.1f, -1.4f};

/* clang-format off */
/*                       never worse     ends inwards repeats sides      starts mins of them reach  scales mins refits */
K_ENCODER(q2_K, fast,    NULL,           3,   few,    0,      BY_RANGE,  4,     4,           0.4f,  2,     1,   0)
K_ENCODER(q2_K, default, NULL,           4,   few,    1,      BY_SEARCH, 8,     4,           0.7f,  2,     3,   1)
K_ENCODER(q2_K, best,    reference_q2_K, 7,   few,    3,      BY_SEARCH, 24,    16,          0.7f,  3,     3,   3)
K_ENCODER(q4_K, fast,    NULL,           3,   three,  1,      BY_RANGE,  4,     4,           0,     2,     1,   0)
K_ENCODER(q4_K, default, NULL,           6,   six,    1,      BY_SEARCH, 8,     4,           0,     2,     3,   0)
K_ENCODER(q4_K, best,    reference_q4_K, 8,   eight,  3,      BY_SEARCH, 16,    16,          0,     3,     3,   3)
K_ENCODER(q5_K, fast,    NULL,           3,   three,  1,      BY_RANGE,  4,     4,           0,     2,     1,   0)
K_ENCODER(q5_K, default, NULL,           6,   six,    1,      BY_SEARCH, 8,     8,           0,     2,     3,   1)
K_ENCODER(q5_K, best,    reference_q5_K, 8,   eight,  3,      BY_SEARCH, 16,    16,          0,     3,     3,   3)
/* clang-format on */
