/* Blocks whose levels come from a short codebook: IQ4_NL, IQ4_XS, MXFP4. */
#ifndef QUANT_CODEBOOK_H
#define QUANT_CODEBOOK_H

#include "quant/kernels/level.h"
#include "quant/kernels/search_block.h"

#define codebook_init          LEVEL_NAME(codebook_init)
#define codebook_error         LEVEL_NAME(codebook_error)
#define codebook_sums          LEVEL_NAME(codebook_sums)
#define codebook_search        LEVEL_NAME(codebook_search)
#define codebook_search_end    LEVEL_NAME(codebook_search_end)
#define codebook_nearest_scale LEVEL_NAME(codebook_nearest_scale)
#define codebook_true_error    LEVEL_NAME(codebook_true_error)

#define CODEBOOK_MAX  16
#define CODEBOOK_BINS 512

/*
 * Levels in ascending order. They are integers, so that every border between two nearest
 * levels is a multiple of 1/2: cut into bins of that width, the range has one nearest level
 * a bin, which a table finds without a branch.
 */
struct codebook {
    size_t n;
    float level[CODEBOOK_MAX];
    float last_bin;
    uint8_t bin[CODEBOOK_BINS]; /* index of the level */
};

/* levels[n - 1] - levels[0] is at most 255. */
void codebook_init(struct codebook *book, const int8_t *levels, size_t n);

/* Index of the level nearest to v; of two, the upper one. NaN gives 0. */
static inline size_t codebook_nearest(const struct codebook *book, float v)
{
    float bin = 2 * (v - book->level[0]);
    bin = bin > 0 ? bin : 0;
    bin = bin < book->last_bin ? bin : book->last_bin;
    return book->bin[(int)bin];
}

/* Weighted squared error of a block when every element takes its nearest level. */
float codebook_error(const struct codebook *book, const struct search_block *block,
                     float scale);

/* Sums for a least-squares fit of the scale to those levels l, of which r = x - scale * l is
 * the residual: sum w r l and sum w l^2; and sum w r^2, the error. */
struct codebook_sums {
    float rl, ll, rr;
};
struct codebook_sums codebook_sums(const struct codebook *book,
                                   const struct search_block *block, float scale);

/* The least error found with a scale of either sign; scale 0 for a block of zeros. */
struct search_line codebook_search(const struct codebook *book,
                                   const struct search_block *block);

/* The same with the extreme element close to level[end], that is with one sign. */
struct search_line codebook_search_end(const struct codebook *book,
                                       const struct search_block *block, size_t end);

/* The scale that maps the element of largest magnitude onto the level of largest
 * magnitude, level[0]: rounding to nearest. */
float codebook_nearest_scale(const struct codebook *book, const struct search_job *job);

/* search_true_error of the levels nearest to the elements. */
double codebook_true_error(const struct codebook *book, const struct search_job *job,
                           float scale);

#endif
