/*
 * What the encoders of the K-quants share: the parameters of the super-blocks of a group, one
 * sub-block a lane, and their errors. Inside quant/kernels/ only.
 *
 *     y = d * scale * level - dmin * min,  level_lo <= level <= level_hi
 */
#ifndef QUANT_KERNELS_K_GROUP_H
#define QUANT_KERNELS_K_GROUP_H

#include "quant/kernels/codebook.h"
#include "quant/kernels/group.h"
#include "quant/kernels/k_quants.h"

#include <string.h>

#define SUPERS_MAX 2 /* super-blocks of a group */

/* The nearest half-precision number that is finite. */
static inline float k_half(float v)
{
    const float clipped = v > FP16_MAX ? FP16_MAX : v < -FP16_MAX ? -FP16_MAX : v;
    return fp16_to_float(fp16_from_float(clipped));
}

/* d and dmin have the same value in all lanes of a super-block. Types without mins leave dmin
 * and min at 0. */
struct k_lanes {
    group_floats d, dmin, scale, min;
    float error[SUPERS_MAX]; /* the weighted error of each super-block */
};

LANES_OP size_t k_supers(const struct k_shape *shape)
{
    return GROUP / (size_t)shape->n_sub;
}

/* How the sub-blocks of a vector decode, and what rounds to it:
 * level = x * inverse + shift, y = scale * level - min. */
struct k_line {
    lanes scale, min, inverse, shift, lo, hi;
    const struct codebook *codebook;
};

LANES_OP struct k_line k_line_of(const struct k_shape *shape, lanes scale, lanes min)
{
    const lanes inverse = lanes_inverse(scale);
    return (struct k_line){scale,
                           min,
                           inverse,
                           min * inverse,
                           lanes_all((float)shape->level_lo),
                           lanes_all((float)shape->level_hi),
                           shape->codebook};
}

LANES_OP struct k_line k_line_at(const struct k_shape *shape, const struct k_lanes *p,
                                 size_t at)
{
    return k_line_of(shape, group_of(&p->d, at) * group_of(&p->scale, at),
                     group_of(&p->dmin, at) * group_of(&p->min, at));
}

LANES_OP lanes k_level(const struct k_line *line, lanes x)
{
    const lanes level = lanes_fma(x, line->inverse, line->shift);
    return level_nearest(line->codebook, level, line->lo, line->hi);
}

/* What is left of x: x - y. */
LANES_OP lanes k_residual(const struct k_line *line, lanes x)
{
    return lanes_fnma(line->scale, k_level(line, x), x + line->min);
}

/* The weighted squared error of each sub-block. */
LANES_OP lanes k_error(const struct group *g, size_t at, const struct k_line *line)
{
    lanes error = lanes_all(0);
    for (size_t i = 0; i < g->len; i++) {
        const lanes r = k_residual(line, group_x(g, i, at));
        error = lanes_fma(group_w(g, i, at) * r, r, error);
    }
    return error;
}

LANES_OP void k_sum_errors(const struct k_shape *shape, const group_floats *errors,
                           float error[SUPERS_MAX])
{
    for (size_t k = 0; k < k_supers(shape); k++)
        error[k] = part_sum(errors, k * (size_t)shape->n_sub, (size_t)shape->n_sub);
}

/* The errors of parameters as they are. */
LANES_OP void k_measure(const struct k_shape *shape, const struct group *g, struct k_lanes *p)
{
    group_floats errors;
    FOR_LANES (at) {
        const struct k_line line = k_line_at(shape, p, at);
        group_set(&errors, at, k_error(g, at, &line));
    }
    k_sum_errors(shape, &errors, p->error);
}

/* Each super-block's part of `from` where its error is smaller. */
LANES_OP void k_keep(const struct k_shape *shape, const struct k_lanes *from,
                     struct k_lanes *best)
{
    const size_t n = (size_t)shape->n_sub, bytes = n * sizeof(float);
    for (size_t k = 0; k < k_supers(shape); k++) {
        if (!(from->error[k] < best->error[k]))
            continue;
        best->error[k] = from->error[k];
        memcpy(best->d.of + k * n, from->d.of + k * n, bytes);
        memcpy(best->dmin.of + k * n, from->dmin.of + k * n, bytes);
        memcpy(best->scale.of + k * n, from->scale.of + k * n, bytes);
        memcpy(best->min.of + k * n, from->min.of + k * n, bytes);
    }
}

/* ---- The encoder ---------------------------------------------------------------------- */

/* A group under search. */
struct k_job {
    struct group g;
    float sign[SUPERS_MAX]; /* -1: the super-block was negated; d and dmin become so too */
    struct k_lanes best;
    struct k_lanes nearest;   /* rounding to nearest */
    struct k_lanes reference; /* see struct k_encoder */
};

/* One type and preset. */
struct k_encoder {
    const struct k_type *type;
    void (*nearest)(struct k_job *job);
    /* What llama-quantize's search would choose, of the group before `search`: for a preset
     * that is never to be worse. NULL: not asked for. */
    void (*reference)(struct k_job *job);
    void (*search)(struct k_job *job); /* for the least error in g.w */
};

#define k_encode LEVEL_NAME(k_encode)
/* Encodes a row of n elements, whole super-blocks. What is searched for is the error weighted
 * by magnitude too, as large weights matter more to a model than their share of the squared
 * error says. What bounds the result is the plain error (with importance: the error weighted
 * by it): nothing is stored that is worse in it than rounding to nearest. */
void k_encode(const struct k_encoder *encoder, const float *x, const float *importance,
              uint8_t *blocks, size_t n);

/*
 * The rows of a table of presets, in a file that has for its types
 *
 *     struct plan                                             how much is searched
 *     search(struct k_job *, const struct k_shape *, const struct plan *)
 *     round_to_nearest(const struct group *, const struct k_shape *, struct k_lanes *)
 *     make_reference(struct k_job *, const struct k_shape *)
 *
 * all of them LANES_OP, so that a type and a preset are constants in their copy. K_SEARCHED is
 * what the presets of a type share. K_ENCODER is one of them: `reference` is reference_NAME or
 * NULL, and what follows is its plan.
 */
#define K_SEARCHED(name)                                                                       \
    static const struct k_shape shape_##name = K_SHAPE_##name;                                 \
    static void nearest_##name(struct k_job *job)                                              \
    {                                                                                          \
        round_to_nearest(&job->g, &shape_##name, &job->nearest);                               \
    }                                                                                          \
    static void reference_##name(struct k_job *job)                                            \
    {                                                                                          \
        make_reference(job, &shape_##name);                                                    \
    }
#define K_ENCODER(name, preset, reference, ...)                                                \
    static const struct plan plan_##name##_##preset = {__VA_ARGS__};                           \
    static void search_##name##_##preset(struct k_job *job)                                    \
    {                                                                                          \
        search(job, &shape_##name, &plan_##name##_##preset);                                   \
    }                                                                                          \
    QUANT_ENCODER(name, preset)                                                                \
    {                                                                                          \
        static const struct k_encoder encoder = {&k_type_##name, nearest_##name, reference,    \
                                                 search_##name##_##preset};                    \
        k_encode(&encoder, x, importance, blocks, n);                                          \
    }

#endif
