/* MXFP4 and NVFP4: 4-bit floats (E2M1) with a scale of 8 bits. */
#include "quant/blocks.h"
#include "quant/kernels/bytes.h"
#include "quant/kernels/codebook.h"
#include "quant/kernels/formats.h"
#include "quant/fp.h"

#include <math.h>

/* The values of the sixteen codes, doubled to be integers; code 8 is a second zero. */
static const int8_t fp4_doubled[16] = {0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12};

/* The fifteen different ones in order, and the code of each. */
static const int8_t ordered[15] = {-12, -8, -6, -4, -3, -2, -1, 0, 1, 2, 3, 4, 6, 8, 12};
static const uint8_t code_of[15] = {15, 14, 13, 12, 11, 10, 9, 0, 1, 2, 3, 4, 5, 6, 7};

#define MX 32 /* elements of a block of MXFP4 */
static const struct search_shape shape = {.n = MX};

static inline bytes16 values_of(bytes16 codes)
{
    return bytes_lookup(bytes_load(fp4_doubled), codes);
}

QUANT_DECODER(mxfp4)
{
    const struct block_mxfp4 *b = blocks;
    for (; n >= MX; n -= MX, b++, out += MX) {
        const float d = e8m0_half_to_float(b->e);
        const bytes16 codes = bytes_load(b->qs);
        put_scaled(values_of(codes & 0xf), d, out);
        put_scaled(values_of(bytes_field(codes, 4, 0xf)), d, out + MX / 2);
    }
}

/* The largest exponent with which the largest level, 12, is still finite. */
#define E_MAX 252

/*
 * The exponents reach further than the search. A block is brought to a largest magnitude of
 * 0.5 to 1 by a power of two, which is exact but for what then falls below 2^-126 of that,
 * and the row's mean square with it.
 */
struct mx_block {
    float x[MX];
    struct search_row row;
    int power; /* the block was divided by 2^power */
};

static void normalise(const struct search_row *row, size_t first, struct mx_block *block)
{
    const float *x = row->x + first;
    const float extreme = search_extreme(x, MX);
    (void)frexpf(extreme, &block->power);
    if (extreme == 0)
        block->power = -148; /* the smallest there is: zeros are stored as zero bytes */
    for (size_t i = 0; i < MX; i++)
        block->x[i] = ldexpf(x[i], -block->power);
    float sigma2 = ldexpf(row->sigma2, -2 * block->power);
    block->row = (struct search_row){block->x, row->importance ? row->importance + first : NULL,
                                     sigma2 < SEARCH_LIMIT ? sigma2 : SEARCH_LIMIT};
}

static float scale_of(const struct mx_block *block, int e)
{
    return ldexpf(0.5f, e - 127 - block->power);
}

static int clamp_exponent(int e)
{
    return e < 0 ? 0 : e > E_MAX ? E_MAX : e;
}

/* Rounding to nearest brings the largest magnitude into 4 to 8: floor(log2(max)) - 2. The
 * exponents beside it are compared. */
static int best_exponent(const struct codebook *book, const struct mx_block *block,
                         const struct search_job *job)
{
    const int nearest = clamp_exponent(block->power - 3 + 127);
    const double limit = codebook_true_error(book, job, scale_of(block, nearest));
    float least = codebook_error(book, &job->searched, scale_of(block, nearest));
    int best = nearest;
    for (int step = -1; step <= 1; step += 2) {
        int e = clamp_exponent(nearest + step);
        float error = codebook_error(book, &job->searched, scale_of(block, e));
        if (error < least && codebook_true_error(book, job, scale_of(block, e)) <= limit) {
            least = error;
            best = e;
        }
    }
    return best;
}

static void store_codes(const struct codebook *book, const float *x, float scale,
                        uint8_t qs[16])
{
    float inverse = search_inverse(scale);
    for (size_t j = 0; j < MX / 2; j++) {
        size_t first = codebook_nearest(book, x[j] * inverse);
        size_t second = codebook_nearest(book, x[j + MX / 2] * inverse);
        qs[j] = (uint8_t)(code_of[first] | code_of[second] << 4);
    }
}

QUANT_ENCODER(mxfp4, any)
{
    struct block_mxfp4 *b = blocks;
    struct search_row row = search_row_of(x, n, importance);
    struct search_job job;
    struct mx_block block;
    struct codebook book;
    codebook_init(&book, ordered, sizeof ordered);
    for (size_t i = 0; i + MX <= n; i += MX, b++) {
        normalise(&row, i, &block);
        search_start(&job, &block.row, 0, &shape);
        int e = best_exponent(&book, &block, &job);
        store_codes(&book, job.x, scale_of(&block, e), b->qs);
        b->e = (uint8_t)e;
    }
}

/* Four sub-blocks of 16, each with an unsigned E4M3 scale; elements 0..7 of each are in the low
 * nibbles of its 8 bytes, and 8..15 in the high ones. */
QUANT_DECODER(nvfp4)
{
    const struct block_nvfp4 *b = blocks;
    for (; n >= 64; n -= 64, b++) {
        for (size_t s = 0; s < 4; s++, out += BYTES) {
            const bytes16 codes = bytes_of_nibbles(b->qs + 8 * s);
            put_scaled(values_of(codes), ue4m3_half_to_float(b->d[s]), out);
        }
    }
}
