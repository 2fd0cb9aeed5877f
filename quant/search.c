/* The scale search of quant/search.h. */
#include "quant/search.h"

#include <math.h>

/* Weighted sums over a block: of the levels q that a line gives, and of the residual
 * r = x - y that is left. */
struct sums {
    float w, q, qq, r, rq, rr;
};

static float inverse_of(float scale)
{
    return scale != 0 ? 1 / scale : 0;
}

float search_error(const struct search_block *block, float scale, float offset)
{
    float inverse = inverse_of(scale), error = 0;
    for (size_t i = 0; i < block->n; i++) {
        float q = search_level((block->x[i] - offset) * inverse, block->lo, block->hi);
        float r = block->x[i] - (scale * q + offset);
        error += block->w[i] * r * r;
    }
    return error;
}

static struct sums sums_of_line(const struct search_block *block, float scale, float offset)
{
    struct sums s = {0, 0, 0, 0, 0, 0};
    float inverse = inverse_of(scale);
    for (size_t i = 0; i < block->n; i++) {
        float w = block->w[i];
        float q = search_level((block->x[i] - offset) * inverse, block->lo, block->hi);
        float r = block->x[i] - (scale * q + offset);
        s.w += w;
        s.q += w * q;
        s.qq += w * q * q;
        s.r += w * r;
        s.rq += w * r * q;
        s.rr += w * r * r;
    }
    return s;
}

/* ---- One scale --------------------------------------------------------------- */

/* Rounds with `scale`, then fits the scale to the levels: r shrinks by its part along q. */
static struct search_line refine_scale(const struct search_block *block, float scale)
{
    struct sums s = sums_of_line(block, scale, 0);
    if (!(s.qq > 0))
        return (struct search_line){scale, 0, s.rr};
    float step = s.rq / s.qq;
    return (struct search_line){scale + step, 0, s.rr - step * s.rq};
}

static float extreme_of(const struct search_block *block)
{
    float extreme = 0;
    for (size_t i = 0; i < block->n; i++)
        if (fabsf(block->x[i]) > fabsf(extreme))
            extreme = block->x[i];
    return extreme;
}

/*
 * Of lines that are as good the one of smallest scale is better: a block ruled by one
 * outlier has many, and a large scale would coarsen that of the whole super-block.
 */
static int line_is_better(struct search_line a, struct search_line b)
{
    const float slack = 1.0001f;
    if (fabsf(a.scale) < fabsf(b.scale))
        return a.error <= b.error * slack;
    return a.error * slack < b.error;
}

struct search_line search_scale(const struct search_block *block)
{
    /* Where the extreme element lands, in levels beyond the end of the range. */
    static const float beyond[] = {-0.9f, -0.6f, -0.3f, 0, 0.3f, 0.6f, 0.9f, 1.2f};
    const size_t n_beyond = sizeof beyond / sizeof beyond[0];
    float extreme = extreme_of(block);
    struct search_line best = {0, 0, 0};
    if (extreme == 0)
        return best;
    best = refine_scale(block, extreme / block->lo);
    for (size_t i = 0; i < 2 * n_beyond; i++) {
        float end = i < n_beyond ? block->lo - beyond[i] : block->hi + beyond[i - n_beyond];
        struct search_line line = refine_scale(block, extreme / end);
        if (line_is_better(line, best))
            best = line;
    }
    return refine_scale(block, best.scale);
}

/* ---- Scale and offset --------------------------------------------------------- */

/* Rounds with `line`, then fits scale and offset to the levels. */
static struct search_line refine_line(const struct search_block *block, struct search_line line,
                                      float offset_max)
{
    struct sums s = sums_of_line(block, line.scale, line.offset);
    float det = s.w * s.qq - s.q * s.q;
    line.error = s.rr;
    if (!(det > 0))
        return line;
    float scale = (s.w * s.rq - s.q * s.r) / det;
    float offset = (s.qq * s.r - s.q * s.rq) / det;
    if (line.offset + offset > offset_max) {
        offset = offset_max - line.offset;
        scale = (s.rq - offset * s.q) / s.qq;
    }
    if (!(line.scale + scale > 0))
        return line;
    float along_scale = scale * (scale * s.qq + 2 * offset * s.q - 2 * s.rq);
    float along_offset = offset * (offset * s.w - 2 * s.r);
    return (struct search_line){line.scale + scale, line.offset + offset,
                                s.rr + along_scale + along_offset};
}

struct search_line search_scale_offset(const struct search_block *block, float offset_max)
{
    /* How far both ends of the range move inwards, in steps between levels. */
    static const float inwards[] = {-0.15f, 0.1f, 0.35f, 0.6f, 0.85f};
    const size_t n_inwards = sizeof inwards / sizeof inwards[0];
    float low = block->x[0], high = block->x[0];
    for (size_t i = 1; i < block->n; i++) {
        low = block->x[i] < low ? block->x[i] : low;
        high = block->x[i] > high ? block->x[i] : high;
    }
    low = low < offset_max ? low : offset_max;
    struct search_line best = {0, low, 0};
    if (!(high > low)) {
        best.error = search_error(block, 0, low);
        return best;
    }
    float step = (high - low) / block->hi;
    best = refine_line(block, (struct search_line){step, low, 0}, offset_max);
    for (size_t i = 0; i < n_inwards * n_inwards; i++) {
        float from = low + inwards[i / n_inwards] * step;
        float to = high - inwards[i % n_inwards] * step;
        from = from < offset_max ? from : offset_max;
        struct search_line line = {(to - from) / block->hi, from, 0};
        line = refine_line(block, line, offset_max);
        if (line.error < best.error)
            best = line;
    }
    return refine_line(block, best, offset_max);
}
