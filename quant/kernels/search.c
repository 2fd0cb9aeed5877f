/* The scale search of quant/search.h. */
#include "quant/kernels/search.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

float search_normalise(float *weights, size_t n)
{
    const float floor = 0x1p-32f;
    float max = 0;
    for (size_t i = 0; i < n; i++)
        max = weights[i] > max ? weights[i] : max;
    for (size_t i = 0; i < n; i++) {
        float w = max > 0 ? weights[i] / max : 1;
        weights[i] = w > floor ? w : floor;
    }
    return max;
}

float search_mean_square(const float *x, size_t n)
{
    float sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += x[i] * x[i];
    return sum / (float)n;
}

/* ---- Lanes: candidates side by side --------------------------------------------- */

typedef float lanes __attribute__((vector_size(SEARCH_LANES * sizeof(float))));
typedef int32_t mask __attribute__((vector_size(SEARCH_LANES * sizeof(int32_t))));

static inline lanes lanes_load(const float *v)
{
    lanes l;
    memcpy(&l, v, sizeof l);
    return l;
}

static inline lanes lanes_all(float v)
{
    return (lanes){0} + v;
}

static inline lanes select(mask m, lanes yes, lanes no)
{
    return (lanes)((m & (mask)yes) | (~m & (mask)no));
}

/* search_level in every lane. */
static inline lanes nearest_level(lanes v, const struct search_block *block)
{
    const float magic = 12582912.0f;
    const lanes lo = lanes_all(block->lo), hi = lanes_all(block->hi);
    v = (v + magic) - magic;
    v = select(v > lo, v, lo);
    return select(v < hi, v, hi);
}

/* Candidate lines, one a lane. */
struct line_lanes {
    lanes scale, offset, inverse;
};

static struct line_lanes load_lines(const float *scale, const float *offset)
{
    float inverse[SEARCH_LANES];
    for (size_t k = 0; k < SEARCH_LANES; k++)
        inverse[k] = search_inverse(scale[k]);
    return (struct line_lanes){lanes_load(scale), lanes_load(offset), lanes_load(inverse)};
}

/* ---- Errors -------------------------------------------------------------------------- */

float search_error(const struct search_block *block, float scale, float offset)
{
    float inverse = search_inverse(scale), error = 0;
    for (size_t i = 0; i < block->n; i++) {
        float q = search_level((block->x[i] - offset) * inverse, block->lo, block->hi);
        float r = block->x[i] - (scale * q + offset);
        error += block->w[i] * r * r;
    }
    return error;
}

void search_errors(const struct search_block *block, const float *scale, const float *offset,
                   float *error, size_t n)
{
    for (size_t k = 0; k < n; k += SEARCH_LANES) {
        const struct line_lanes line = load_lines(scale + k, offset + k);
        lanes sum = lanes_all(0);
        for (size_t i = 0; i < block->n; i++) {
            lanes q = nearest_level((block->x[i] - line.offset) * line.inverse, block);
            lanes r = block->x[i] - (line.scale * q + line.offset);
            sum += block->w[i] * r * r;
        }
        memcpy(error + k, &sum, sizeof sum);
    }
}

/* ---- One scale --------------------------------------------------------------- */

/* Rounds with each scale, then fits it to the levels: of the residual r = x - y that is
 * left its part along q is taken away. */
static void refine_scales(const struct search_block *block, const float *scale,
                          struct search_line *out)
{
    static const float none[SEARCH_LANES];
    const struct line_lanes line = load_lines(scale, none);
    lanes qq = lanes_all(0), rq = qq, rr = qq;
    for (size_t i = 0; i < block->n; i++) {
        lanes q = nearest_level(block->x[i] * line.inverse, block);
        lanes r = block->x[i] - line.scale * q;
        lanes wq = block->w[i] * q;
        qq += wq * q;
        rq += wq * r;
        rr += block->w[i] * r * r;
    }
    for (size_t k = 0; k < SEARCH_LANES; k++) {
        float step = qq[k] > 0 ? rq[k] / qq[k] : 0;
        out[k] = (struct search_line){scale[k] + step, 0, rr[k] - step * rq[k]};
    }
}

/*
 * Of lines that are as good the one of smallest scale is better: a block ruled by one
 * outlier has many, and a large scale would coarsen that of the whole super-block.
 */
static bool line_is_better(const struct search_line *a, const struct search_line *b)
{
    const float slack = 1.0001f;
    if (fabsf(a->scale) < fabsf(b->scale))
        return a->error <= b->error * slack;
    return a->error * slack < b->error;
}

static void keep_best_scale(const struct search_block *block, const float *scale,
                            struct search_line *best)
{
    struct search_line lines[SEARCH_LANES];
    refine_scales(block, scale, lines);
    for (size_t k = 0; k < SEARCH_LANES; k++)
        if (line_is_better(&lines[k], best))
            *best = lines[k];
}

struct search_line search_scale(const struct search_block *block)
{
    /* Where the extreme element lands, in levels beyond the end of the range. */
    static const float beyond[] = {0, 0.3f, 0.6f, 0.9f, 1.2f, -0.3f, -0.6f, -0.9f};
    const float extreme = search_extreme(block->x, block->n);
    struct search_line best = {0, 0, 0};
    if (extreme == 0)
        return best;
    best.error = INFINITY;
    for (size_t i = 0; i < sizeof beyond / sizeof beyond[0]; i += SEARCH_LANES) {
        float down[SEARCH_LANES], up[SEARCH_LANES];
        for (size_t k = 0; k < SEARCH_LANES; k++) {
            down[k] = extreme / (block->lo - beyond[i + k]);
            up[k] = extreme / (block->hi + beyond[i + k]);
        }
        keep_best_scale(block, down, &best);
        keep_best_scale(block, up, &best);
    }
    const float again[SEARCH_LANES] = {best.scale, best.scale, best.scale, best.scale};
    keep_best_scale(block, again, &best);
    return best;
}

/* ---- Scale and offset --------------------------------------------------------- */

/* Weighted sums over a block: of the levels q that a line gives, and of the residual r. */
struct sums {
    float w, q, qq, r, rq, rr;
};

/* Fits scale and offset to the levels that the sums are of. */
static struct search_line fit_line(struct search_line line, const struct sums *s,
                                   float offset_max)
{
    float det = s->w * s->qq - s->q * s->q;
    line.error = s->rr;
    if (!(det > 0))
        return line;
    float scale = (s->w * s->rq - s->q * s->r) / det;
    float offset = (s->qq * s->r - s->q * s->rq) / det;
    if (line.offset + offset > offset_max) {
        offset = offset_max - line.offset;
        scale = (s->rq - offset * s->q) / s->qq;
    }
    if (!(line.scale + scale > 0))
        return line;
    float along_scale = scale * (scale * s->qq + 2 * offset * s->q - 2 * s->rq);
    float along_offset = offset * (offset * s->w - 2 * s->r);
    return (struct search_line){line.scale + scale, line.offset + offset,
                                s->rr + along_scale + along_offset};
}

/* Candidates of one block, side by side. */
struct candidates {
    float scale[SEARCH_LANES], offset[SEARCH_LANES];
};

/* The search in one block. */
struct line_search {
    const struct search_block *block;
    float offset_max;
    struct search_line best;
};

/* Rounds with each candidate, fits it, and keeps the best. */
static void keep_best_line(struct line_search *s, const struct candidates *c)
{
    const struct search_block *block = s->block;
    const struct line_lanes line = load_lines(c->scale, c->offset);
    lanes sq = lanes_all(0), sqq = sq, sr = sq, srq = sq, srr = sq;
    float sw = 0;
    for (size_t i = 0; i < block->n; i++) {
        lanes q = nearest_level((block->x[i] - line.offset) * line.inverse, block);
        lanes r = block->x[i] - (line.scale * q + line.offset);
        lanes wq = block->w[i] * q, wr = block->w[i] * r;
        sw += block->w[i];
        sq += wq;
        sqq += wq * q;
        sr += wr;
        srq += wr * q;
        srr += wr * r;
    }
    for (size_t k = 0; k < SEARCH_LANES; k++) {
        const struct sums sums = {sw, sq[k], sqq[k], sr[k], srq[k], srr[k]};
        struct search_line start = {c->scale[k], c->offset[k], 0};
        struct search_line fitted = fit_line(start, &sums, s->offset_max);
        if (fitted.error < s->best.error)
            s->best = fitted;
    }
}

/* How far the ends of the range move inwards, in steps between levels. */
static const float low_inwards[] = {0, -0.15f, 0.2f, 0.5f, 0.8f};
static const float high_inwards[] = {0, -0.2f, 0.2f, 0.35f, 0.5f, 0.65f, 0.8f, 1};

/* Tries all ends of the range above the lower end `from`. */
static void try_ends(struct line_search *s, float from, float high, float step)
{
    struct candidates c;
    for (size_t i = 0; i < sizeof high_inwards / sizeof high_inwards[0]; i += SEARCH_LANES) {
        for (size_t k = 0; k < SEARCH_LANES; k++) {
            c.scale[k] = (high - high_inwards[i + k] * step - from) / s->block->hi;
            c.offset[k] = from;
        }
        keep_best_line(s, &c);
    }
}

/* Rounds again with the best. */
static void repeat_best(struct line_search *s)
{
    struct candidates c;
    for (size_t k = 0; k < SEARCH_LANES; k++) {
        c.scale[k] = s->best.scale;
        c.offset[k] = s->best.offset;
    }
    keep_best_line(s, &c);
}

/* Moves either end of the best line's range a little, to leave a local optimum. */
static void disturb_best(struct line_search *s, float by)
{
    static const float low[] = {1, -1, 0, 0}, high[] = {0, 0, 1, -1};
    struct candidates c;
    const struct search_line from = s->best;
    for (size_t k = 0; k < SEARCH_LANES; k++) {
        float shift = low[k] * by * from.scale;
        c.offset[k] = fminf(from.offset + shift, s->offset_max);
        c.scale[k] = from.scale * (1 + (high[k] - low[k]) * by / s->block->hi);
    }
    keep_best_line(s, &c);
}

struct search_line search_scale_offset(const struct search_block *block, float offset_max)
{
    const int rounds = 2;
    float low = block->x[0], high = block->x[0];
    for (size_t i = 1; i < block->n; i++) {
        low = block->x[i] < low ? block->x[i] : low;
        high = block->x[i] > high ? block->x[i] : high;
    }
    low = low < offset_max ? low : offset_max;
    struct line_search s = {block, offset_max, {0, low, INFINITY}};
    if (!(high > low)) {
        s.best.error = search_error(block, 0, low);
        return s.best;
    }
    const float step = (high - low) / block->hi;
    for (size_t i = 0; i < sizeof low_inwards / sizeof low_inwards[0]; i++) {
        float from = low + low_inwards[i] * step;
        if (from > offset_max) /* the end at offset_max was the first */
            continue;
        try_ends(&s, from, high, step);
    }
    for (int i = 0; i < rounds; i++) {
        repeat_best(&s);
        disturb_best(&s, 0.1f);
        disturb_best(&s, 0.25f);
    }
    return s.best;
}
