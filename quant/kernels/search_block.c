/* The best stored values of one block: see search_block.h. */
#include "quant/kernels/search_block.h"

#include <math.h>
#include <string.h>

struct search_row search_row_of(const float *x, size_t n, const float *importance)
{
    double sum = 0;
    for (size_t i = 0; importance && i < n; i++) {
        double v = (double)search_limit(x[i]);
        sum += v * v;
    }
    return (struct search_row){x, importance, n ? (float)(sum / (double)n) : 0};
}

void search_start(struct search_job *job, const struct search_row *row, size_t first,
                  const struct search_shape *shape)
{
    const size_t n = shape->n;
    const float lo = (float)shape->lo, hi = (float)shape->hi;
    job->input = row->x + first;
    job->importance = row->importance ? row->importance + first : NULL;
    for (size_t i = 0; i < n; i++) {
        job->x[i] = search_limit(job->input[i]);
        job->a[i] = job->importance ? job->importance[i] : 1;
    }
    float share = search_normalise(job->a, n);
    for (size_t i = 0; i < n; i++)
        job->w[i] =
            row->importance ? job->a[i] * sqrtf(row->sigma2 + job->x[i] * job->x[i]) : 1;
    job->searched_share = share * search_normalise(job->w, n);
    job->weighted = row->importance != NULL;
    job->searched = (struct search_block){job->x, job->w, n, lo, hi};
    job->bound = (struct search_block){job->x, job->a, n, lo, hi};
}

double search_true_error(const struct search_job *job, const float *decoded)
{
    double error = 0;
    for (size_t i = 0; i < job->searched.n; i++) {
        double r = (double)job->input[i] - (double)decoded[i];
        error += (job->importance ? (double)job->importance[i] : 1) * r * r;
    }
    return error;
}

/* ---- Candidates --------------------------------------------------------------------- */

/* Stored values that are compared; the first is that of rounding to nearest. */
#define CANDIDATES 20

struct pool {
    float scale[CANDIDATES], offset[CANDIDATES];
    struct search_halves halves[CANDIDATES];
    size_t n;
};

static void add(struct pool *pool, uint16_t scale, uint16_t offset)
{
    pool->halves[pool->n] = (struct search_halves){scale, offset};
    pool->scale[pool->n] = fp16_to_float(scale);
    pool->offset[pool->n] = fp16_to_float(offset);
    pool->n++;
}

uint16_t search_neighbour(uint16_t half, int step)
{
    int magnitude = (half & 0x7fff) + step;
    magnitude = magnitude < 0 ? 0 : magnitude > 0x7bff ? 0x7bff : magnitude;
    return (uint16_t)((half & 0x8000) | magnitude);
}

/* How much of the bounding error may be given for less of the searched one. */
#define BOUND_SLACK 1.001f

size_t search_choose(const float *searched, const float *bound, size_t n)
{
    float limit = bound[0];
    for (size_t i = 1; i < n; i++)
        limit = bound[i] * BOUND_SLACK < limit ? bound[i] * BOUND_SLACK : limit;
    size_t best = n;
    for (size_t i = 0; i < n; i++) {
        if (bound[i] <= limit && (best == n || searched[i] < searched[best]))
            best = i;
    }
    return best < n ? best : 0;
}

static double true_error_of(const struct search_job *job, struct search_halves halves)
{
    const float scale = fp16_to_float(halves.scale), offset = fp16_to_float(halves.offset);
    const float inverse = search_inverse(scale);
    const float lo = job->searched.lo, hi = job->searched.hi;
    float decoded[SEARCH_BLOCK_MAX];
    for (size_t i = 0; i < job->searched.n; i++)
        decoded[i] = scale * search_level((job->x[i] - offset) * inverse, lo, hi) + offset;
    return search_true_error(job, decoded);
}

/* The errors of the search are sums of floats: they choose, but cannot promise that rounding
 * to nearest is not better by a little. */
static struct search_halves best_of(const struct search_job *job, struct pool *pool)
{
    float searched[CANDIDATES], bound[CANDIDATES];
    while (pool->n < CANDIDATES)
        add(pool, pool->halves[0].scale, pool->halves[0].offset);
    search_errors(&job->bound, pool->scale, pool->offset, bound, CANDIDATES);
    memcpy(searched, bound, sizeof searched);
    if (job->weighted)
        search_errors(&job->searched, pool->scale, pool->offset, searched, CANDIDATES);
    struct search_halves nearest = pool->halves[0];
    struct search_halves best = pool->halves[search_choose(searched, bound, CANDIDATES)];
    return true_error_of(job, best) <= true_error_of(job, nearest) ? best : nearest;
}

uint16_t search_best_scale(const struct search_job *job, float nearest)
{
    struct pool pool = {.n = 0};
    uint16_t rounded = search_half(nearest);
    uint16_t found = search_half(search_scale(&job->searched).scale);
    add(&pool, rounded, 0);
    for (int step = -2; step <= 2; step++)
        add(&pool, search_neighbour(found, step), 0);
    add(&pool, search_neighbour(rounded, -1), 0);
    add(&pool, search_neighbour(rounded, 1), 0);
    if (job->weighted)
        add(&pool, search_half(search_scale(&job->bound).scale), 0);
    return best_of(job, &pool).scale;
}

/* For a block of equal numbers: the offset just below, and what is missing as the scale,
 * so that level 1 is closer than the offset alone could be. */
static void add_constant(struct pool *pool, float x)
{
    uint16_t offset = search_half(x);
    if (fp16_to_float(offset) > x)
        offset = search_neighbour(offset, x > 0 ? -1 : 1);
    add(pool, search_half(x - fp16_to_float(offset)), offset);
}

static void add_line(struct pool *pool, struct search_line line)
{
    uint16_t scale = search_half(line.scale), offset = search_half(line.offset);
    for (int i = -1; i <= 1; i++) {
        for (int k = -1; k <= 1; k++)
            add(pool, search_neighbour(scale, i), search_neighbour(offset, k));
    }
}

struct search_halves search_best_line(const struct search_job *job, float scale, float offset)
{
    struct pool pool = {.n = 0};
    struct search_line line = search_scale_offset(&job->searched, INFINITY);
    add(&pool, search_half(scale), search_half(offset));
    add_line(&pool, line);
    if (job->weighted)
        add_line(&pool, search_scale_offset(&job->bound, INFINITY));
    if (line.scale == 0)
        add_constant(&pool, job->x[0]);
    return best_of(job, &pool);
}
