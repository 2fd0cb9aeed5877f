/* Search over a codebook: see codebook.h. */
#include "quant/codebook.h"

#include <math.h>

/* Four comparisons find one of sixteen. */
size_t codebook_nearest(const struct codebook *book, float v)
{
    size_t low = 0, high = book->n - 1;
    while (high - low > 1) {
        size_t mid = (low + high) / 2;
        if (v < (float)book->level[mid])
            high = mid;
        else
            low = mid;
    }
    return v - (float)book->level[low] < (float)book->level[high] - v ? low : high;
}

static float inverse_of(float scale)
{
    return scale != 0 ? 1 / scale : 0;
}

float codebook_error(const struct codebook *book, const struct search_block *block, float scale)
{
    float inverse = inverse_of(scale), error = 0;
    for (size_t i = 0; i < block->n; i++) {
        size_t q = codebook_nearest(book, block->x[i] * inverse);
        float r = block->x[i] - scale * (float)book->level[q];
        error += block->w[i] * r * r;
    }
    return error;
}

struct codebook_sums codebook_sums(const struct codebook *book,
                                   const struct search_block *block, float scale)
{
    struct codebook_sums s = {0, 0};
    float inverse = inverse_of(scale);
    for (size_t i = 0; i < block->n; i++) {
        float l = (float)book->level[codebook_nearest(book, block->x[i] * inverse)];
        s.xl += block->w[i] * block->x[i] * l;
        s.ll += block->w[i] * l * l;
    }
    return s;
}

static float extreme_of(const struct search_block *block)
{
    float extreme = 0;
    for (size_t i = 0; i < block->n; i++) {
        if (fabsf(block->x[i]) > fabsf(extreme))
            extreme = block->x[i];
    }
    return extreme;
}

float codebook_nearest_scale(const struct codebook *book, const struct search_block *block)
{
    return extreme_of(block) / (float)book->level[0];
}

/* One candidate and its least-squares refinement. */
static void try_scale(const struct codebook *book, const struct search_block *block,
                      float scale, float *best_scale, float *best_error)
{
    struct codebook_sums s = codebook_sums(book, block, scale);
    float refined = s.ll > 0 ? s.xl / s.ll : scale;
    float error = codebook_error(book, block, refined);
    if (error < *best_error) {
        *best_error = error;
        *best_scale = refined;
    }
}

float codebook_search(const struct codebook *book, const struct search_block *block)
{
    float extreme = extreme_of(block);
    if (extreme == 0)
        return 0;
    float low = (float)book->level[0], high = (float)book->level[book->n - 1];
    float best = extreme / low, best_error = codebook_error(book, block, best);
    for (int k = -3; k <= 6; k++) { /* the extreme lands inside or beyond the end */
        float stretch = 1 + 0.07f * (float)k;
        try_scale(book, block, extreme / (low * stretch), &best, &best_error);
        try_scale(book, block, extreme / (high * stretch), &best, &best_error);
    }
    try_scale(book, block, best, &best, &best_error);
    return best;
}
