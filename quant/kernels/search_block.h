/*
 * The encoders' common part for blocks with one scale, or a scale and an offset, in half
 * precision: which stored values are best for a block of floats.
 *
 * Without importance the squared error is minimised. With it, what is searched for is the
 * error weighted by importance * sqrt(sigma^2 + x^2), sigma^2 being the row's mean square
 * (the objective of llama-quantize); what bounds the result is the error weighted by the
 * importance alone, in which nothing worse than rounding to nearest is accepted.
 */
#ifndef QUANT_SEARCH_BLOCK_H
#define QUANT_SEARCH_BLOCK_H

#include "quant/kernels/level.h"
#include "quant/kernels/search.h"

#include <stdbool.h>

#define search_row_of     LEVEL_NAME(search_row_of)
#define search_start      LEVEL_NAME(search_start)
#define search_true_error LEVEL_NAME(search_true_error)
#define search_choose     LEVEL_NAME(search_choose)
#define search_neighbour  LEVEL_NAME(search_neighbour)
#define search_best_scale LEVEL_NAME(search_best_scale)
#define search_best_line  LEVEL_NAME(search_best_line)

#define SEARCH_BLOCK_MAX 256

/* A block and both of its weights, each relative to the largest in the block; what that is
 * worth in a super-block, the share tells. `searched` and `bound` share x, n, lo and hi. */
struct search_job {
    const float *input, *importance; /* as given; importance may be NULL */
    float x[SEARCH_BLOCK_MAX], w[SEARCH_BLOCK_MAX], a[SEARCH_BLOCK_MAX];
    struct search_block searched, bound;
    float searched_share;
    bool weighted; /* the two differ */
};

/* What a block is given of its row. */
struct search_row {
    const float *x;
    const float *importance; /* or NULL */
    float sigma2;            /* mean square */
};
struct search_row search_row_of(const float *x, size_t n, const float *importance);

/* Elements of a block, and the levels lo..hi that encode them. */
struct search_shape {
    size_t n;
    int lo, hi;
};

/* The block that begins at element `first` of its row. */
void search_start(struct search_job *job, const struct search_row *row, size_t first,
                  const struct search_shape *shape);

/* The squared error of decoded values, weighted by the importance: of the input as given and
 * in double, so that it is what a user computes, for inputs of any size. */
double search_true_error(const struct search_job *job, const float *decoded);

/* Of n candidates the one with the least searched error among those whose bounding error
 * is close to the least, and not above that of candidate 0, rounding to nearest. */
size_t search_choose(const float *searched, const float *bound, size_t n);

/* The half-precision number `step` places further from zero (towards it if negative). */
uint16_t search_neighbour(uint16_t half, int step);

/* Stored scale and offset, in half precision. */
struct search_halves {
    uint16_t scale, offset;
};

/* The best scale; `nearest` is that of rounding to nearest, which the result never falls
 * behind. */
uint16_t search_best_scale(const struct search_job *job, float nearest);

/* The best scale and offset. */
struct search_halves search_best_line(const struct search_job *job, float scale, float offset);

/* The level of element i, lo..hi. */
static inline int search_level_of(const struct search_job *job, size_t i,
                                  struct search_halves stored)
{
    float scale = fp16_to_float(stored.scale), offset = fp16_to_float(stored.offset);
    float inverse = search_inverse(scale);
    return (int)search_level((job->x[i] - offset) * inverse, job->searched.lo,
                             job->searched.hi);
}

#endif
