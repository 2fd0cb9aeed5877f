/* Blocks whose levels come from a short codebook: IQ4_NL, IQ4_XS, MXFP4. */
#ifndef QUANT_CODEBOOK_H
#define QUANT_CODEBOOK_H

#include "quant/search_block.h"

#define CODEBOOK_MAX 16

/* Levels in ascending order. */
struct codebook {
    const int8_t *level;
    size_t n;
};

/* Index of the level nearest to v. */
size_t codebook_nearest(const struct codebook *book, float v);

/* Weighted squared error of a block when every element takes its nearest level. */
float codebook_error(const struct codebook *book, const struct search_block *block,
                     float scale);

/* Sums for a least-squares fit of the scale to those levels: sum w x l and sum w l^2. */
struct codebook_sums {
    float xl, ll;
};
struct codebook_sums codebook_sums(const struct codebook *book,
                                   const struct search_block *block, float scale);

/* The scale, of either sign, with the least error that the search finds. */
float codebook_search(const struct codebook *book, const struct search_block *block);

/* The scale that maps the element of largest magnitude onto the level of largest
 * magnitude: rounding to nearest. */
float codebook_nearest_scale(const struct codebook *book, const struct search_block *block);

#endif
