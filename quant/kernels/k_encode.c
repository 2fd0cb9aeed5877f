/* The frame of the K-quants' encoders: weights, bounds, storing. See k_group.h. */
#include "quant/kernels/k_group.h"

/* ---- Weights --------------------------------------------------------------------------- */

/* *sigma2 holds the sums of squares of the blocks; becomes the square of the root mean square
 * of each super-block, times the type's factor. */
static void super_sigma2(const struct k_shape *shape, group_floats *sigma2)
{
    const size_t n = (size_t)shape->n_sub;
    const float factor = (float)shape->sigma_factor / QK_K;
    for (size_t first = 0; first < GROUP; first += n)
        part_fill(sigma2, first, n, part_sum(sigma2, first, n) * factor);
}

static void weigh(const struct k_shape *shape, struct group *g)
{
    group_floats squares;
    group_squares(g, &squares);
    if (g->weighted) {
        group_normalise(g, (size_t)shape->n_sub);
        super_sigma2(shape, &squares);
        group_weigh_importance(g, shape->sigma_factor ? &squares : NULL);
    } else {
        group_weigh_magnitude(g, &squares, shape->power, shape->s);
    }
}

/* ---- Bounds ---------------------------------------------------------------------------- */

/* The error in importance alone of each super-block. */
static void bounds(const struct k_shape *shape, const struct group *g, const struct k_lanes *p,
                   float bound[SUPERS_MAX])
{
    group_floats errors;
    FOR_LANES (at) {
        const struct k_line line = k_line_at(shape, p, at);
        lanes error = lanes_all(0);
        for (size_t i = 0; i < g->len; i++) {
            const lanes r = k_residual(&line, group_x(g, i, at));
            error = lanes_fma(group_a(g, i, at) * r, r, error);
        }
        group_set(&errors, at, error);
    }
    k_sum_errors(shape, &errors, bound);
}

/* ---- Storing ---------------------------------------------------------------------------- */

/* Super-blocks as they come in. */
struct super {
    const float *x, *importance; /* importance may be NULL */
};

static void take_params(const struct k_shape *shape, const struct k_lanes *p, size_t k,
                        float sign, struct k_params *out)
{
    const size_t first = k * (size_t)shape->n_sub;
    *out = (struct k_params){.d = fp16_from_float(sign * p->d.of[first])};
    if (shape->min_hi)
        out->dmin = fp16_from_float(sign * p->dmin.of[first]);
    for (size_t j = 0; j < (size_t)shape->n_sub; j++) {
        out->scale[j] = (int8_t)p->scale.of[first + j];
        out->min[j] = (uint8_t)p->min.of[first + j];
    }
}

/* How each sub-block of a super-block rounds: level = x * inverse + shift. */
struct rounding {
    group_floats inverse, shift;
};

static void rounding_of(const struct k_shape *shape, const struct k_params *params,
                        struct rounding *rounding)
{
    const float d = fp16_to_float(params->d), dmin = fp16_to_float(params->dmin);
    group_floats scale = {{0}}, min = {{0}};
    for (size_t j = 0; j < (size_t)shape->n_sub; j++) {
        scale.of[j] = d * (float)params->scale[j];
        min.of[j] = dmin * (float)params->min[j];
    }
    FOR_LANES (at) {
        const struct k_line line = k_line_of(shape, group_of(&scale, at), group_of(&min, at));
        group_set(&rounding->inverse, at, line.inverse);
        group_set(&rounding->shift, at, line.shift);
    }
}

/* The level nearest to each element, stored from 0 on. */
static void take_levels(const struct k_shape *shape, const float *x,
                        const struct k_params *params, uint8_t level[QK_K])
{
    const size_t len = QK_K / (size_t)shape->n_sub;
    const lanes limit = lanes_all(GROUP_LIMIT), below = lanes_all(-GROUP_LIMIT);
    struct k_line line = k_line_of(shape, lanes_all(0), lanes_all(0));
    struct rounding rounding;
    rounding_of(shape, params, &rounding);
    for (size_t e = 0; e < QK_K; e += QUANT_LANES) {
        line.inverse = lanes_all(rounding.inverse.of[e / len]);
        line.shift = lanes_all(rounding.shift.of[e / len]);
        const lanes q = k_level(&line, lanes_clamp(lanes_load(x + e), below, limit));
        lanes_store_bytes(level + e, q - line.lo);
    }
}

/* The error in importance as a user computes it: of the input as it was given, in double. */
static double true_error(const struct k_shape *shape, const struct super *super,
                         const struct k_fields *fields)
{
    const struct k_params *p = &fields->params;
    const size_t len = QK_K / (size_t)shape->n_sub;
    const float d = fp16_to_float(p->d), dmin = fp16_to_float(p->dmin);
    double error = 0;
    for (size_t e = 0; e < QK_K; e++) {
        const size_t j = e / len;
        const float scale = d * (float)p->scale[j], min = dmin * (float)p->min[j];
        const float y = scale * (float)(fields->level[e] + shape->level_lo) - min;
        const double r = (double)super->x[e] - (double)y;
        error += (super->importance ? (double)super->importance[e] : 1) * r * r;
    }
    return error;
}

/* What was found for one super-block. */
struct result {
    const struct k_lanes *params;
    float sign;
    bool doubtful;
};

static bool has_largest_d(const struct k_job *job, size_t first)
{
    return fabsf(job->nearest.d.of[first]) >= FP16_MAX;
}

/* Doubtful is what is not clearly better than rounding to nearest: sums in float cannot tell
 * what is almost the same, nor elements beyond the limit of a group. */
static bool is_doubtful(const struct k_job *job, size_t first, float bound, float nearest)
{
    return !(bound < nearest * 0.999f) || has_largest_d(job, first);
}

static float extreme_of(const float *x, size_t n)
{
    float extreme = 0;
    for (size_t i = 0; i < n; i++)
        extreme = fabsf(x[i]) > fabsf(extreme) ? x[i] : extreme;
    return extreme;
}

/* Rounding to nearest where d is as large as it can be: of elements beyond the limit of a group
 * the group does not tell which is the extreme. */
static void take_largest(const struct k_shape *shape, const float *x, struct k_params *out)
{
    const size_t len = QK_K / (size_t)shape->n_sub;
    const float lo = (float)shape->scale_lo, hi = (float)shape->scale_hi;
    const float level_lo = (float)shape->level_lo;
    const float d = copysignf(FP16_MAX, extreme_of(x, QK_K) / level_lo / lo);
    out->d = fp16_from_float(d);
    for (size_t j = 0; j < (size_t)shape->n_sub; j++) {
        const float scale = extreme_of(x + j * len, len) / level_lo / d;
        out->scale[j] = (int8_t)rintf(fminf(fmaxf(scale, lo), hi));
    }
}

static void take_nearest(const struct k_job *job, const struct k_shape *shape, size_t k,
                         const float *x, struct k_fields *fields)
{
    take_params(shape, &job->nearest, k, 1, &fields->params);
    if (!shape->min_hi && has_largest_d(job, k * (size_t)shape->n_sub))
        take_largest(shape, x, &fields->params);
    take_levels(shape, x, &fields->params, fields->level);
}

static void store_super(const struct k_encoder *e, const struct k_job *job, size_t k,
                        const struct result *result, const struct super *super, void *block)
{
    const struct k_shape *shape = &e->type->shape;
    struct k_fields fields, nearest;
    take_params(shape, result->params, k, result->sign, &fields.params);
    take_levels(shape, super->x, &fields.params, fields.level);
    if (result->doubtful) {
        take_nearest(job, shape, k, super->x, &nearest);
        if (true_error(shape, super, &nearest) < true_error(shape, super, &fields))
            fields = nearest;
    }
    e->type->pack(&fields, block);
}

/* Searches a group; results[k] is that of super-block k. The search may negate super-blocks:
 * what is to be measured of the group as it came in, is before it. */
static void find_results(const struct k_encoder *e, struct k_job *job,
                         struct result results[SUPERS_MAX])
{
    const struct k_shape *shape = &e->type->shape;
    float best[SUPERS_MAX], nearest[SUPERS_MAX], reference[SUPERS_MAX] = {0};
    e->nearest(job);
    bounds(shape, &job->g, &job->nearest, nearest);
    if (e->reference) {
        e->reference(job);
        bounds(shape, &job->g, &job->reference, reference);
    }
    e->search(job);
    bounds(shape, &job->g, &job->best, best);
    for (size_t k = 0; k < k_supers(shape); k++) {
        const bool fallback = e->reference && job->reference.error[k] < job->best.error[k];
        const float bound = fallback ? reference[k] : best[k];
        results[k].params = fallback ? &job->reference : &job->best;
        results[k].sign = fallback ? 1 : job->sign[k];
        results[k].doubtful = is_doubtful(job, k * (size_t)shape->n_sub, bound, nearest[k]);
    }
}

static void encode_group(const struct k_encoder *e, struct k_job *job, const struct super *row,
                         size_t supers, uint8_t *blocks)
{
    const struct k_shape *shape = &e->type->shape;
    struct result results[SUPERS_MAX];
    group_load(&job->g, row->x, row->importance, supers * (size_t)shape->n_sub);
    weigh(shape, &job->g);
    find_results(e, job, results);
    for (size_t k = 0; k < supers; k++) {
        const size_t at = k * QK_K;
        const struct super super = {row->x + at, row->importance ? row->importance + at : NULL};
        store_super(e, job, k, &results[k], &super, blocks + k * e->type->block_bytes);
    }
}

void k_encode(const struct k_encoder *e, const float *x, const float *importance,
              uint8_t *blocks, size_t n)
{
    const struct k_shape *shape = &e->type->shape;
    struct k_job job;
    const size_t step = k_supers(shape) * QK_K;
    job.g.len = QK_K / (size_t)shape->n_sub;
    for (size_t i = 0; i < n; i += step) {
        const size_t supers = n - i < step ? (n - i) / QK_K : k_supers(shape);
        const struct super row = {x + i, importance ? importance + i : NULL};
        encode_group(e, &job, &row, supers, blocks + i / QK_K * e->type->block_bytes);
    }
}
