/* Search over a codebook: see codebook.h. */
#include "quant/kernels/codebook.h"

#include <math.h>

void codebook_init(struct codebook *book, const int8_t *levels, size_t n)
{
    const int bins = 2 * (levels[n - 1] - levels[0]) + 1;
    book->n = n;
    book->last_bin = (float)(bins - 1);
    for (size_t i = 0; i < n; i++)
        book->level[i] = levels[i];
    size_t nearest = 0;
    for (int bin = 0; bin < bins; bin++) {
        int doubled = bin + 2 * levels[0]; /* the lower border of the bin, twice */
        while (nearest + 1 < n && doubled >= levels[nearest] + levels[nearest + 1])
            nearest++;
        book->bin[bin] = (uint8_t)nearest;
    }
}

float codebook_error(const struct codebook *book, const struct search_block *block, float scale)
{
    float inverse = search_inverse(scale), error = 0;
    for (size_t i = 0; i < block->n; i++) {
        float l = book->level[codebook_nearest(book, block->x[i] * inverse)];
        float r = block->x[i] - scale * l;
        error += block->w[i] * r * r;
    }
    return error;
}

struct codebook_sums codebook_sums(const struct codebook *book,
                                   const struct search_block *block, float scale)
{
    struct codebook_sums s = {0, 0, 0};
    float inverse = search_inverse(scale);
    for (size_t i = 0; i < block->n; i++) {
        float l = book->level[codebook_nearest(book, block->x[i] * inverse)];
        float r = block->x[i] - scale * l, wl = block->w[i] * l;
        s.rl += wl * r;
        s.ll += wl * l;
        s.rr += block->w[i] * r * r;
    }
    return s;
}

float codebook_nearest_scale(const struct codebook *book, const struct search_job *job)
{
    return search_extreme(job->input, job->searched.n) / book->level[0];
}

double codebook_true_error(const struct codebook *book, const struct search_job *job,
                           float scale)
{
    float inverse = search_inverse(scale), decoded[SEARCH_BLOCK_MAX];
    for (size_t i = 0; i < job->searched.n; i++)
        decoded[i] = scale * book->level[codebook_nearest(book, job->x[i] * inverse)];
    return search_true_error(job, decoded);
}

/* Rounds with the scale, fits it to the levels, and keeps the better. */
static void try_scale(const struct codebook *book, const struct search_block *block,
                      float scale, struct search_line *best)
{
    struct codebook_sums s = codebook_sums(book, block, scale);
    float step = s.ll > 0 ? s.rl / s.ll : 0;
    float error = s.rr - step * s.rl;
    if (error < best->error)
        *best = (struct search_line){scale + step, 0, error};
}

struct search_line codebook_search_end(const struct codebook *book,
                                       const struct search_block *block, size_t end)
{
    /* Where the extreme lands: inside or beyond the end, in parts of it. */
    static const float stretch[] = {0.79f, 0.86f, 0.93f, 1,     1.04f, 1.08f,
                                    1.14f, 1.2f,  1.28f, 1.35f, 1.42f};
    struct search_line best = {0, 0, INFINITY};
    float to_end = search_extreme(block->x, block->n) / book->level[end];
    if (to_end == 0)
        return (struct search_line){0, 0, 0};
    for (size_t k = 0; k < sizeof stretch / sizeof stretch[0]; k++)
        try_scale(book, block, to_end / stretch[k], &best);
    try_scale(book, block, best.scale, &best);
    return best;
}

struct search_line codebook_search(const struct codebook *book,
                                   const struct search_block *block)
{
    struct search_line low = codebook_search_end(book, block, 0);
    struct search_line high = codebook_search_end(book, block, book->n - 1);
    return high.error < low.error ? high : low;
}
