/* Encoders of the types of 32-element blocks with a scale, or a scale and an offset. */
#include "quant/blocks.h"
#include "quant/kernels/formats.h"
#include "quant/kernels/search_block.h"

#include <string.h>

#define QK 32 /* elements of a block */

static void pack_nibbles(const uint8_t level[QK], uint8_t qs[16])
{
    for (size_t j = 0; j < QK / 2; j++)
        qs[j] = (uint8_t)((level[j] & 0xf) | level[j + QK / 2] << 4);
}

static void pack_five_bits(const uint8_t level[QK], uint8_t qs[16], uint8_t qh[4])
{
    pack_nibbles(level, qs);
    memset(qh, 0, 4);
    for (size_t j = 0; j < QK; j++)
        qh[j / 8] |= (uint8_t)((level[j] >> 4) << j % 8);
}

static const struct search_shape shape_q4_0 = {QK, -8, 7};
static const struct search_shape shape_q5_0 = {QK, -16, 15};

/* Kernels multiply levels in pairs and -128 would overflow. */
static const struct search_shape shape_q8_0 = {QK, -127, 127};

/* Searches the scale; levels are stored from 0 on. */
static uint16_t fit_scale(const struct search_row *row, size_t first,
                          const struct search_shape *shape, uint8_t level[QK])
{
    struct search_job job;
    search_start(&job, row, first, shape);
    uint16_t d = search_best_scale(&job, search_extreme(job.input, QK) / (float)shape->lo);
    for (size_t i = 0; i < QK; i++)
        level[i] =
            (uint8_t)(search_level_of(&job, i, (struct search_halves){d, 0}) - shape->lo);
    return d;
}

QUANT_ENCODER(q4_0, any)
{
    struct block_q4_0 *b = blocks;
    struct search_row row = search_row_of(x, n, importance);
    uint8_t level[QK];
    for (size_t i = 0; i + QK <= n; i += QK, b++) {
        b->d = fit_scale(&row, i, &shape_q4_0, level);
        pack_nibbles(level, b->qs);
    }
}

QUANT_ENCODER(q5_0, any)
{
    struct block_q5_0 *b = blocks;
    struct search_row row = search_row_of(x, n, importance);
    uint8_t level[QK];
    for (size_t i = 0; i + QK <= n; i += QK, b++) {
        b->d = fit_scale(&row, i, &shape_q5_0, level);
        pack_five_bits(level, b->qs, b->qh);
    }
}

QUANT_ENCODER(q8_0, any)
{
    struct block_q8_0 *b = blocks;
    struct search_row row = search_row_of(x, n, importance);
    uint8_t level[QK];
    for (size_t i = 0; i + QK <= n; i += QK, b++) {
        b->d = fit_scale(&row, i, &shape_q8_0, level);
        for (size_t j = 0; j < QK; j++)
            b->qs[j] = (int8_t)(level[j] + shape_q8_0.lo);
    }
}

static const struct search_shape shape_q4_1 = {QK, 0, 15};
static const struct search_shape shape_q5_1 = {QK, 0, 31};

static struct search_halves fit_line(const struct search_row *row, size_t first,
                                     const struct search_shape *shape, uint8_t level[QK])
{
    struct search_job job;
    search_start(&job, row, first, shape);
    float low = job.x[0], high = job.x[0];
    for (size_t i = 1; i < QK; i++) {
        low = job.x[i] < low ? job.x[i] : low;
        high = job.x[i] > high ? job.x[i] : high;
    }
    struct search_halves h = search_best_line(&job, (high - low) / (float)shape->hi, low);
    for (size_t i = 0; i < QK; i++)
        level[i] = (uint8_t)search_level_of(&job, i, h);
    return h;
}

QUANT_ENCODER(q4_1, any)
{
    struct block_q4_1 *b = blocks;
    struct search_row row = search_row_of(x, n, importance);
    uint8_t level[QK];
    for (size_t i = 0; i + QK <= n; i += QK, b++) {
        struct search_halves h = fit_line(&row, i, &shape_q4_1, level);
        b->d = h.scale;
        b->m = h.offset;
        pack_nibbles(level, b->qs);
    }
}

QUANT_ENCODER(q5_1, any)
{
    struct block_q5_1 *b = blocks;
    struct search_row row = search_row_of(x, n, importance);
    uint8_t level[QK];
    for (size_t i = 0; i + QK <= n; i += QK, b++) {
        struct search_halves h = fit_line(&row, i, &shape_q5_1, level);
        b->d = h.scale;
        b->m = h.offset;
        pack_five_bits(level, b->qs, b->qh);
    }
}
