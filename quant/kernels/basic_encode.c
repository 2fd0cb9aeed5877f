/*
 * Encoders of the types of 32-element blocks with a scale (Q4_0, Q5_0, Q8_0, IQ4_NL) or a scale
 * and an offset (Q4_1, Q5_1), sixteen blocks at once.
 *
 * Without importance the squared error is minimised. With it, what is searched for is the
 * error weighted by importance * sqrt(sigma^2 + x^2), sigma^2 being the row's mean square (the
 * objective of llama-quantize). Q4_1 and Q5_1 take 2 sigma^2 and IQ4_NL 4 sigma^2: the error in
 * that objective is all but the same, and a model loses less. What bounds the result is the
 * error weighted by the importance alone, in which nothing is stored that is worse than
 * rounding to nearest.
 */
#include "quant/kernels/basic_pack.h"
#include "quant/kernels/fit_line.h"
#include "quant/kernels/fit_scale.h"
#include "quant/kernels/formats.h"

#include <string.h>

/* ---- Types and presets ------------------------------------------------------------------ */

struct shape {
    size_t block_bytes;
    float lo, hi;       /* levels */
    float sigma_factor; /* of the row's mean square, see above */
    bool has_offset;    /* lo = 0 then */
    void (*pack)(const struct fields *fields, void *block);
    const float *beyond;             /* see below; NULL with an offset */
    const struct codebook *codebook; /* NULL: the levels are the integers lo..hi */
};

/* Where the extreme element lands beyond the end of the range, what pays most first. */
static const float beyond_integers[] = {0.7f, 0.2f, 1.1f,  -0.5f, 0,    1.5f, -0.9f, 0.45f,
                                        1.8f, 0.9f, -0.2f, -1.3f, 0.3f, 1.3f, -1.8f, 0.6f};
/* With so many levels one level less costs little, and where the step differs by a per cent all
 * rounding errors are others. */
static const float beyond_many[] = {0.3f,  -0.9f, -2.2f, -3.6f, -5.2f, -6.8f, 0.45f, -0.4f,
                                    -1.6f, -3,    -4.4f, -6,    -7.7f, -8.6f, -9.6f, -11};
static const float beyond_iq4[] = {6,  18, -10, 30, 0,   42, -20, 12,
                                   24, 36, -5,  50, -15, 3,  9,   15};

static const struct shape shape_q4_0 = {sizeof(struct block_q4_0), -8,  7, 1, false, pack_q4_0,
                                        beyond_integers,           NULL};
static const struct shape shape_q5_0 = {sizeof(struct block_q5_0), -16, 15, 1, false, pack_q5_0,
                                        beyond_integers,           NULL};
/* Kernels multiply levels in pairs and -128 would overflow. */
static const struct shape shape_q8_0 = {
    sizeof(struct block_q8_0), -127, 127, 1, false, pack_q8_0, beyond_many, NULL};
static const struct shape shape_q4_1 = {
    sizeof(struct block_q4_1), 0, 15, 2, true, pack_q4_1, NULL, NULL};
static const struct shape shape_q5_1 = {
    sizeof(struct block_q5_1), 0, 31, 2, true, pack_q5_1, NULL, NULL};

static const struct shape shape_iq4_nl = {
    sizeof(struct block_iq4_nl), -127, 113, 4, false, pack_iq4_nl, beyond_iq4, &codebook_iq4};

/* How much is searched: one row a type and preset. */
struct plan {
    int ends;          /* places of each end of the range that are tried; 0: nearest only */
    int weighted_ends; /* the same with importance */
    int repeats;       /* times that the best is rounded again */
    int neighbours;    /* with importance, half-precision numbers around the best that are
                        * tried, to either side */
    bool never_worse;  /* also try what llama-quantize would choose with importance */
};

static inline bool is_symmetric(const struct shape *shape)
{
    return shape->lo + shape->hi == 0;
}

/* What is done, a constant of each copy of the functions. */
struct task {
    const struct shape *shape;
    const struct plan *plan;
    bool weighted; /* importance was given */
};

/* Places of each end that are tried; 0: rounding to nearest only. */
LANES_OP int ends_of(const struct task *task)
{
    return task->weighted ? task->plan->weighted_ends : task->plan->ends;
}

/* ---- Groups ---------------------------------------------------------------------------- */

/* What is stored of each block, and its weighted error. */
struct halves {
    group_floats d, m, error;
};

/* A group under search. */
struct job {
    struct group g;
    struct halves best, nearest;
};

/* How the blocks of a vector decode, and what rounds to it. */
struct line {
    lanes d, m, inverse, shift, lo, hi;
    const struct codebook *codebook;
};

LANES_OP struct line line_of(const struct shape *shape, lanes d, lanes m)
{
    const lanes inverse = lanes_inverse(d);
    return (struct line){d,
                         m,
                         inverse,
                         (lanes_all(0) - m) * inverse,
                         lanes_all(shape->lo),
                         lanes_all(shape->hi),
                         shape->codebook};
}

LANES_OP lanes level_of(const struct line *line, lanes x)
{
    const lanes level = lanes_fma(x, line->inverse, line->shift);
    return level_nearest(line->codebook, level, line->lo, line->hi);
}

/* What is left of x: x - y. */
LANES_OP lanes residual_of(const struct line *line, lanes x)
{
    return lanes_fnma(line->d, level_of(line, x), x - line->m);
}

/* The weighted squared error of each block. */
LANES_OP lanes error_of(const struct job *job, const struct task *task, size_t at,
                        const struct line *line)
{
    lanes error = lanes_all(0);
    for (size_t i = 0; i < job->g.len; i++) {
        const lanes r = residual_of(line, group_x(&job->g, i, at));
        lanes wr = r;
        if (task->weighted)
            wr = group_w(&job->g, i, at) * r;
        error = lanes_fma(wr, r, error);
    }
    return error;
}

/* Rounding to nearest: the element of largest magnitude, the first of several, on the lowest
 * level. A scale is positive where the levels are symmetric. */
LANES_OP void nearest_scale(struct job *job, const struct shape *shape, size_t at)
{
    const lanes d = group_extreme(&job->g, at) / lanes_all(shape->lo);
    lanes half = lanes_half_scale(is_symmetric(shape) ? lanes_abs(d) : d);
    if (shape->codebook)
        half = lanes_half(d); /* 0 only lies on a level where the scale is 0 */
    group_set(&job->nearest.d, at, half);
    group_set(&job->nearest.m, at, lanes_all(0));
}

/* Rounding to nearest: both ends of the range on the ends of the levels. */
LANES_OP void nearest_line(struct job *job, const struct shape *shape, size_t at)
{
    lanes low, high;
    group_range(&job->g, at, &low, &high);
    group_set(&job->nearest.d, at, lanes_half_scale((high - low) / lanes_all(shape->hi)));
    group_set(&job->nearest.m, at, lanes_half(low));
}

LANES_OP void round_to_nearest(struct job *job, const struct shape *shape)
{
    FOR_LANES (at) {
        if (shape->has_offset)
            nearest_line(job, shape, at);
        else
            nearest_scale(job, shape, at);
    }
}

/* ---- Search ------------------------------------------------------------------------------ */

/* One candidate for what is stored. */
LANES_OP void try_halves(struct job *job, const struct task *task, size_t at, lanes d, lanes m)
{
    const struct line line = line_of(task->shape, d, m);
    const lanes error = error_of(job, task, at, &line);
    const lanes_mask better = lanes_less(error, group_of(&job->best.error, at));
    group_set(&job->best.d, at, lanes_select(better, d, group_of(&job->best.d, at)));
    group_set(&job->best.m, at, lanes_select(better, m, group_of(&job->best.m, at)));
    group_set(&job->best.error, at,
              lanes_select(better, error, group_of(&job->best.error, at)));
}

/* `steps` half-precision numbers further from zero. */
LANES_OP lanes half_neighbour(lanes d, int steps)
{
    const lanes step = lanes_max(lanes_abs(d) * lanes_all(0x1p-11f), lanes_all(0x1p-24f));
    const lanes by = lanes_select(lanes_less(d, lanes_all(0)), lanes_all(0) - step, step);
    return lanes_half_scale(lanes_fma(by, lanes_all((float)steps), d));
}

/* A scale that was found, and its neighbours in half precision. */
LANES_OP void try_scale(struct job *job, const struct task *task, const struct scale_search *s,
                        struct scale_fit fit)
{
    for (int i = 0; i < task->plan->repeats; i++)
        scale_try(s, lanes_inverse(fit.scale), &fit);
    lanes d = fit.scale * s->extreme;
    if (is_symmetric(task->shape))
        d = lanes_abs(d);
    const int neighbours = task->weighted ? task->plan->neighbours : 0;
    for (int i = -neighbours; i <= neighbours; i++)
        try_halves(job, task, s->at, half_neighbour(d, i), lanes_all(0));
}

/* The scale that brings the extreme element closest to a level: half precision holds one
 * multiple of a block of equal numbers best. Where the scale is so small that half precision
 * leaves little choice, all that bring it to a level are tried. */
LANES_OP void try_extreme(struct job *job, const struct task *task, size_t at, lanes extreme)
{
    const lanes_mask tiny =
        lanes_less(lanes_abs(extreme), lanes_all(task->shape->hi * 0x1p-20f));
    lanes best = lanes_all(0), least = lanes_all(INFINITY);
    for (int k = 0; k < 16; k++) {
        const lanes level = lanes_all(task->shape->codebook->level[k]);
        const lanes d = lanes_half(extreme / level);
        const lanes off = lanes_abs(lanes_fnma(d, level, extreme));
        const lanes_mask closer = lanes_less(off, least);
        best = lanes_select(closer, d, best);
        least = lanes_select(closer, off, least);
        if (lanes_any(tiny))
            try_halves(job, task, at, lanes_select(tiny, d, group_of(&job->best.d, at)),
                       lanes_all(0));
    }
    try_halves(job, task, at, best, lanes_all(0));
}

/* llama-quantize's candidates: the extreme element lands around the lowest level. */
LANES_OP void try_reference_scale(struct job *job, const struct task *task,
                                  struct scale_search *s)
{
    const float step = task->shape->codebook ? 1 : 0.1f;
    for (int i = -9; i <= 9; i++)
        scale_try(s, s->lo - lanes_all(step * (float)i), &s->down);
    try_halves(job, task, s->at, lanes_half_scale(s->down.scale * s->extreme), lanes_all(0));
}

/* With importance the scales of both signs are compared as they are stored: where one element
 * outweighs all others only half precision tells them apart. */
LANES_OP void search_scale(struct job *job, const struct task *task)
{
    const struct shape *shape = task->shape;
    FOR_LANES (at) {
        struct scale_search s = {.g = &job->g,
                                 .at = at,
                                 .lo = lanes_all(shape->lo),
                                 .hi = lanes_all(shape->hi),
                                 .codebook = shape->codebook,
                                 .lone = true,
                                 .equal = !task->weighted};
        scale_start(&s);
        for (int i = 0; i < ends_of(task); i++) {
            if (is_symmetric(shape))
                scale_try(&s, s.hi + lanes_all(shape->beyond[i]), &s.up);
            else
                scale_try_ends(&s, shape->beyond[i]);
        }
        if (task->weighted && task->plan->never_worse)
            try_reference_scale(job, task, &s);
        if (task->weighted && !is_symmetric(shape)) {
            try_scale(job, task, &s, s.up);
            try_scale(job, task, &s, s.down);
        } else {
            try_scale(job, task, &s, scale_better(s.up, s.down));
        }
        if (shape->codebook)
            try_extreme(job, task, at, s.extreme);
    }
}

/* How far the ends of the range move inwards, in steps between levels. */
static const float inwards[] = {0, 0.35f, -0.3f, 0.7f, -0.65f, -1, 1.1f, 0.15f};

/* The offset that is best for a stored scale and the levels of a fit. */
LANES_OP lanes offset_for(const struct line_search *s, lanes d)
{
    return lanes_half(s->mean - d * s->best.q * s->inverse_weight);
}

/* For a block of equal numbers: the offset just below, and what is missing as the scale, so
 * that level 1 is closer than the offset alone could be. */
LANES_OP void constant_line(lanes x, lanes *d, lanes *m)
{
    const lanes nearest = lanes_half(x);
    const lanes step = lanes_fma(lanes_abs(nearest), lanes_all(0x1p-11f), lanes_all(0x1p-25f));
    *m = lanes_select(lanes_less(x, nearest), lanes_half(nearest - step), nearest);
    *d = lanes_half(x - *m);
}

/* llama-quantize's candidates: the upper end of the range alone moves. */
LANES_OP void try_reference_line(struct job *job, const struct task *task,
                                 struct line_search *s)
{
    const float top = task->shape->hi;
    for (int i = -18; i <= 18; i++)
        line_try_ends(s, top, 0, top - top * top / (top + 0.05f * (float)i));
    const lanes d = lanes_half_scale(s->best.scale * lanes_inverse(s->unit));
    try_halves(job, task, s->at, d, offset_for(s, d));
}

LANES_OP void search_line(struct job *job, const struct task *task)
{
    const float top = task->shape->hi;
    const int ends = ends_of(task);
    const int neighbours = task->weighted ? task->plan->neighbours : 0;
    FOR_LANES (at) {
        struct line_search s = {.g = &job->g,
                                .at = at,
                                .top = lanes_all(top),
                                .lone = true,
                                .equal = !task->weighted};
        line_start(&s, INFINITY);
        if (task->weighted && task->plan->never_worse)
            try_reference_line(job, task, &s);
        for (int low = 0; low < ends; low++)
            for (int high = 0; high < ends; high++)
                line_try_ends(&s, top, inwards[low], inwards[high]);
        for (int i = 0; i < task->plan->repeats; i++)
            line_repeat(&s);
        const lanes_mask flat = lanes_less(s.unit, lanes_all(0x1p-126f));
        const lanes d = s.best.scale * lanes_inverse(s.unit);
        lanes flat_d, flat_m;
        constant_line(group_x(&job->g, 0, at), &flat_d, &flat_m);
        for (int i = -neighbours; i <= neighbours; i++) {
            lanes half = lanes_half_scale(d * lanes_all(1 + (float)i * 0x1p-11f));
            const lanes m = lanes_select(flat, flat_m, offset_for(&s, half));
            half = lanes_select(flat, flat_d, half);
            for (int k = -neighbours; k <= neighbours; k++)
                try_halves(job, task, at, half,
                           lanes_half(m * lanes_all(1 + (float)k * 0x1p-11f)));
        }
    }
}

/* The best of what is found and rounding to nearest, by the searched error. */
LANES_OP void search(struct job *job, const struct task *task)
{
    FOR_LANES (at) {
        const struct line nearest =
            line_of(task->shape, group_of(&job->nearest.d, at), group_of(&job->nearest.m, at));
        group_set(&job->nearest.error, at, error_of(job, task, at, &nearest));
    }
    job->best = job->nearest;
    if (task->shape->has_offset)
        search_line(job, task);
    else
        search_scale(job, task);
}

/* ---- Storing ----------------------------------------------------------------------------- */

/* A row as it comes in. */
struct row {
    const float *x, *importance; /* importance may be NULL */
    float sigma2;                /* mean square, with importance */
};

static inline struct row row_part(const struct row *row, size_t first)
{
    return (struct row){row->x + first, row->importance ? row->importance + first : NULL,
                        row->sigma2};
}

LANES_OP void take(const struct shape *shape, float d, float m, const float *x,
                   struct fields *fields)
{
    const struct line line = line_of(shape, lanes_all(d), lanes_all(m));
    const lanes limit = lanes_all(GROUP_LIMIT), below = lanes_all(-GROUP_LIMIT);
    fields->d = fp16_from_float(d);
    fields->m = fp16_from_float(m);
    for (size_t e = 0; e < QK; e += QUANT_LANES) {
        const lanes level = level_of(&line, lanes_clamp(lanes_load(x + e), below, limit));
        lanes_store_bytes(fields->level + e, level - line.lo);
    }
}

/* The error in importance as a user computes it: of the input as given, in double. */
static double true_error(const struct shape *shape, const struct fields *fields,
                         const struct row *row)
{
    const float d = fp16_to_float(fields->d), m = fp16_to_float(fields->m);
    double error = 0;
    for (size_t e = 0; e < QK; e++) {
        const float y = d * ((float)fields->level[e] + shape->lo) + m;
        const double r = (double)row->x[e] - (double)y;
        error += (row->importance ? (double)row->importance[e] : 1) * r * r;
    }
    return error;
}

/* The error in importance alone, which bounds what may be stored. Without importance it is the
 * error that was searched. */
LANES_OP lanes bound_of(const struct job *job, const struct task *task,
                        const struct halves *halves, size_t at)
{
    if (!task->weighted)
        return group_of(&halves->error, at);
    const struct line line =
        line_of(task->shape, group_of(&halves->d, at), group_of(&halves->m, at));
    lanes error = lanes_all(0);
    for (size_t i = 0; i < job->g.len; i++) {
        const lanes r = residual_of(&line, group_x(&job->g, i, at));
        error = lanes_fma(group_a(&job->g, i, at) * r, r, error);
    }
    return error;
}

LANES_OP lanes_mask differ(lanes a, lanes b)
{
    return lanes_less(lanes_all(0), lanes_abs(a - b));
}

/* Which blocks are neither rounded to nearest nor clearly better: sums in float cannot tell
 * what is almost the same, nor elements beyond the limit of a group. A d near the
 * largest half is doubtful too: there the search was cut off. */
LANES_OP void find_doubtful(const struct job *job, const struct task *task,
                            group_floats *doubtful)
{
    const lanes no = lanes_all(0), yes = lanes_all(1);
    FOR_LANES (at) {
        const lanes limit = bound_of(job, task, &job->nearest, at) * lanes_all(0.999f);
        const lanes d = group_of(&job->nearest.d, at), m = group_of(&job->nearest.m, at);
        lanes doubt = lanes_select(differ(d, group_of(&job->best.d, at)), yes, no);
        doubt = lanes_select(differ(m, group_of(&job->best.m, at)), yes, doubt);
        doubt = lanes_select(lanes_less(bound_of(job, task, &job->best, at), limit), no, doubt);
        doubt = lanes_select(lanes_less(lanes_all(65000), lanes_abs(d)), yes, doubt);
        group_set(doubtful, at, doubt);
    }
}

/* Takes d and m if that is better than the fields are. */
LANES_OP void take_if_better(const struct shape *shape, float d, float m, const struct row *row,
                             struct fields *fields)
{
    struct fields other;
    take(shape, d, m, row->x, &other);
    if (true_error(shape, &other, row) < true_error(shape, fields, row))
        *fields = other;
}

/* Of elements beyond the limit of a group the search cannot tell which is the largest: its sign
 * is that of rounding to nearest, or the other. */
LANES_OP void store_block(const struct job *job, const struct shape *shape, size_t l,
                          const struct row *block_row, bool doubtful, void *block)
{
    const float d = job->nearest.d.of[l], m = job->nearest.m.of[l];
    struct fields fields;
    take(shape, job->best.d.of[l], job->best.m.of[l], block_row->x, &fields);
    if (doubtful) {
        take_if_better(shape, d, m, block_row, &fields);
        if (!shape->has_offset && !is_symmetric(shape))
            take_if_better(shape, -d, m, block_row, &fields);
    }
    shape->pack(&fields, block);
}

/* ---- Rows -------------------------------------------------------------------------------- */

LANES_OP void weigh(const struct shape *shape, struct group *g, float sigma2)
{
    group_floats of_row;
    part_fill(&of_row, 0, GROUP, sigma2 * shape->sigma_factor);
    group_normalise(g, 1);
    group_weigh_importance(g, &of_row);
}

LANES_OP void encode_group(struct job *job, const struct task *task, const struct row *row,
                           size_t n, uint8_t *blocks)
{
    const struct shape *shape = task->shape;
    group_floats doubtful = {{0}};
    group_load(&job->g, row->x, row->importance, n);
    round_to_nearest(job, shape);
    if (ends_of(task) > 0) {
        if (task->weighted)
            weigh(shape, &job->g, row->sigma2);
        search(job, task);
        find_doubtful(job, task, &doubtful);
    } else {
        job->best = job->nearest;
    }
    for (size_t l = 0; l < n; l++) {
        const struct row block = row_part(row, l * QK);
        store_block(job, shape, l, &block, doubtful.of[l] > 0, blocks + l * shape->block_bytes);
    }
}

LANES_OP void encode(const struct task *task, const struct row *row, size_t n, uint8_t *blocks)
{
    struct job job;
    job.g.len = QK;
    for (size_t i = 0; i < n; i += QK * GROUP) {
        const size_t left = (n - i) / QK;
        const struct row part = row_part(row, i);
        encode_group(&job, task, &part, left < GROUP ? left : GROUP,
                     blocks + i / QK * task->shape->block_bytes);
    }
}

#define ENCODER(name, preset, ...)                                                             \
    QUANT_ENCODER(name, preset)                                                                \
    {                                                                                          \
        static const struct plan plan = {__VA_ARGS__};                                         \
        static const struct task plain = {&shape_##name, &plan, false},                        \
                                 weighted = {&shape_##name, &plan, true};                      \
        const struct row row = {x, importance, importance ? group_mean_square(x, n) : 0};      \
        if (importance)                                                                        \
            encode(&weighted, &row, n, blocks);                                                \
        else                                                                                   \
            encode(&plain, &row, n, blocks);                                                   \
    }
/* clang-format off */
/*                       ends weighted repeats neighbours never worse */
ENCODER(q4_0,   fast,    0,   6,       1,      0,          false)
ENCODER(q4_0,   default, 2,   12,      1,      1,          false)
ENCODER(q4_0,   best,    16,  16,      3,      2,          true)
ENCODER(q5_0,   fast,    0,   4,       1,      0,          false)
ENCODER(q5_0,   default, 2,   12,      1,      0,          false)
ENCODER(q5_0,   best,    16,  16,      3,      2,          true)
ENCODER(q8_0,   fast,    0,   0,       0,      0,          false)
ENCODER(q8_0,   default, 4,   4,       0,      0,          false)
ENCODER(q8_0,   best,    16,  16,      3,      2,          true)
ENCODER(q4_1,   fast,    2,   5,       1,      0,          false)
ENCODER(q4_1,   default, 4,   8,       1,      0,          false)
ENCODER(q4_1,   best,    8,   8,       3,      2,          true)
ENCODER(q5_1,   fast,    2,   5,       1,      0,          false)
ENCODER(q5_1,   default, 4,   8,       1,      0,          false)
ENCODER(q5_1,   best,    8,   8,       3,      2,          true)
ENCODER(iq4_nl, fast,    4,   6,       1,      0,          false)
ENCODER(iq4_nl, default, 12,  10,      1,      1,          false)
ENCODER(iq4_nl, best,    16,  16,      3,      2,          true)
/* clang-format on */
