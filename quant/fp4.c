/* MXFP4 and NVFP4: 4-bit floats (E2M1) with a scale of 8 bits. */
#include "quant/blocks.h"
#include "quant/codebook.h"
#include "quant/formats.h"
#include "quant/fp.h"

#include <math.h>

/* The values of the sixteen codes, doubled to be integers; code 8 is a second zero. */
static const int8_t fp4_doubled[16] = {0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12};

/* The fifteen different ones in order, and the code of each. */
static const int8_t ordered[15] = {-12, -8, -6, -4, -3, -2, -1, 0, 1, 2, 3, 4, 6, 8, 12};
static const uint8_t code_of[15] = {15, 14, 13, 12, 11, 10, 9, 0, 1, 2, 3, 4, 5, 6, 7};

#define MX 32 /* elements of a block of MXFP4 */
static const struct search_shape shape = {.n = MX};

QUANT_DECODER(mxfp4)
{
    const struct block_mxfp4 *b = blocks;
    for (; n >= MX; n -= MX, b++, out += MX) {
        float d = e8m0_half_to_float(b->e);
        for (size_t j = 0; j < MX / 2; j++) {
            out[j] = (float)fp4_doubled[b->qs[j] & 0xf] * d;
            out[j + MX / 2] = (float)fp4_doubled[b->qs[j] >> 4] * d;
        }
    }
}

/* The largest exponent with which the largest level, 12, is still finite. */
#define E_MAX 252

/* The exponent that brings the largest magnitude into 4 to 8: floor(log2(max)) - 2. */
static int nearest_exponent(const struct search_job *job, int most)
{
    float extreme = search_extreme(job->x, MX);
    int exponent;
    if (extreme == 0)
        return 0;
    (void)frexpf(extreme, &exponent); /* magnitude 0.5..1 * 2^exponent */
    exponent += 127 - 3;
    return exponent < 0 ? 0 : exponent > most ? most : exponent;
}

static uint8_t best_exponent(const struct codebook *book, const struct search_job *job,
                             int most)
{
    int nearest = nearest_exponent(job, most), best = nearest;
    float d = e8m0_half_to_float((uint8_t)nearest);
    float least = codebook_error(book, &job->searched, d);
    float limit = codebook_error(book, &job->bound, d);
    for (int e = nearest - 1; e <= nearest + 1; e += 2) {
        if (e < 0 || e > most)
            continue;
        d = e8m0_half_to_float((uint8_t)e);
        float error = codebook_error(book, &job->searched, d);
        if (error < least && codebook_error(book, &job->bound, d) <= limit) {
            least = error;
            best = e;
        }
    }
    return (uint8_t)best;
}

static void store_codes(const struct codebook *book, const struct search_job *job, uint8_t e,
                        uint8_t qs[16])
{
    float inverse = search_inverse(e8m0_half_to_float(e));
    for (size_t j = 0; j < MX / 2; j++) {
        size_t first = codebook_nearest(book, job->x[j] * inverse);
        size_t second = codebook_nearest(book, job->x[j + MX / 2] * inverse);
        qs[j] = (uint8_t)(code_of[first] | code_of[second] << 4);
    }
}

/* The exponent reaches further than the search: a block with larger numbers is brought
 * down by a power of two, which is exact, and that is added to the exponent. */
#define FAR_EXPONENT 100

static int bring_down(const float *x, float out[MX])
{
    bool far = false;
    for (size_t i = 0; i < MX; i++)
        far = far || fabsf(x[i]) > SEARCH_LIMIT;
    for (size_t i = 0; i < MX; i++)
        out[i] = far ? ldexpf(x[i], -FAR_EXPONENT) : x[i];
    return far ? FAR_EXPONENT : 0;
}

QUANT_ENCODER(mxfp4)
{
    struct block_mxfp4 *b = blocks;
    struct search_row row = search_row_of(x, n, importance);
    struct search_job job;
    struct codebook book;
    float near[MX];
    codebook_init(&book, ordered, sizeof ordered);
    for (size_t i = 0; i + MX <= n; i += MX, b++) {
        struct search_row part = {near, importance ? importance + i : NULL, row.sigma2};
        int down = bring_down(x + i, near);
        search_start(&job, &part, 0, &shape);
        uint8_t e = best_exponent(&book, &job, E_MAX - down);
        store_codes(&book, &job, e, b->qs);
        b->e = (uint8_t)(e + down);
    }
}

/* Four sub-blocks of 16, each with an unsigned E4M3 scale. */
QUANT_DECODER(nvfp4)
{
    const struct block_nvfp4 *b = blocks;
    for (; n >= 64; n -= 64, b++) {
        for (size_t s = 0; s < 4; s++, out += 16) {
            float d = ue4m3_half_to_float(b->d[s]);
            for (size_t j = 0; j < 8; j++) {
                uint8_t byte = b->qs[8 * s + j];
                out[j] = (float)fp4_doubled[byte & 0xf] * d;
                out[j + 8] = (float)fp4_doubled[byte >> 4] * d;
            }
        }
    }
}
