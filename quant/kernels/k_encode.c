/*
 * Encoders of the K-quants.
 *
 * For every super-block: (a) the best scale and min of each sub-block alone; (b) from
 * these d and dmin in half precision, in a few variants; (c) for each sub-block the best
 * integers next to its wish, by the error that results; (d) d and dmin refitted by least
 * squares to the integers, and (c) again. The best of all is kept.
 *
 * Two errors are measured. What is searched for is the error weighted by magnitude too,
 * as large weights matter more to a model than their share of the squared error says.
 * What bounds the result is the plain error (with importance: the error weighted by it):
 * nothing is accepted that is worse in it than rounding to nearest.
 */
#include "quant/kernels/formats.h"
#include "quant/kernels/k_quants.h"
#include "quant/kernels/search.h"

#include <math.h>
#include <string.h>

/* The scale and the min that each sub-block would like. */
struct wishes {
    float scale[K_SUB_MAX], min[K_SUB_MAX];
};

/* One super-block under search. */
struct job {
    const struct k_type *type;
    const float *input;      /* as given */
    const float *importance; /* NULL: all 1 */
    float x[QK_K];           /* within SEARCH_LIMIT */
    float w[QK_K];           /* what is searched for: importance by magnitude */
    float a[QK_K];           /* what bounds the result: importance alone */
    double limit;            /* no result may have a larger bounding error */
    double best_error;
    struct k_params best;
};

static struct search_block sub_block(const struct job *job, const float *weights, int j)
{
    const struct k_shape *shape = &job->type->shape;
    int len = QK_K / shape->n_sub;
    return (struct search_block){.x = job->x + j * len,
                                 .w = weights + j * len,
                                 .n = (size_t)len,
                                 .lo = (float)shape->level_lo,
                                 .hi = (float)shape->level_hi};
}

/* ---- Weights --------------------------------------------------------------------- */

static void weigh_by_magnitude(struct job *job)
{
    int len = QK_K / job->type->shape.n_sub;
    for (int i = 0; i < QK_K; i += len) {
        float sigma = sqrtf(search_mean_square(job->x + i, (size_t)len));
        for (int k = i; k < i + len; k++)
            job->w[k] = sigma + fabsf(job->x[k]);
    }
}

static void weigh_by_importance(struct job *job)
{
    const int sigma_factor = job->type->shape.sigma_factor;
    float sigma2 = (float)sigma_factor * search_mean_square(job->x, QK_K);
    for (int i = 0; i < QK_K; i++) {
        float magnitude = sigma_factor > 0 ? sqrtf(sigma2 + job->x[i] * job->x[i]) : 1;
        job->w[i] = job->a[i] * magnitude;
    }
}

static void start_job(struct job *job)
{
    for (int i = 0; i < QK_K; i++) {
        job->x[i] = search_limit(job->input[i]);
        job->a[i] = job->importance ? job->importance[i] : 1;
    }
    search_normalise(job->a, QK_K);
    if (job->importance)
        weigh_by_importance(job);
    else
        weigh_by_magnitude(job);
    search_normalise(job->w, QK_K);
}

/* ---- Errors ---------------------------------------------------------------------- */

/* What a sub-block decodes by: y = scale * level - min, in the decoder's own rounding. */
struct line {
    float scale, min, inverse; /* inverse of the scale, or 0 */
};

static struct line line_of(const struct k_params *params, int j)
{
    float scale = fp16_to_float(params->d) * (float)params->scale[j];
    float min = fp16_to_float(params->dmin) * (float)params->min[j];
    return (struct line){scale, min, scale != 0 ? 1 / scale : 0};
}

static float level_of(const struct search_block *sub, struct line line, size_t i)
{
    return search_level((sub->x[i] + line.min) * line.inverse, sub->lo, sub->hi);
}

static double searched_error(const struct job *job, const struct k_params *params)
{
    double error = 0;
    for (int j = 0; j < job->type->shape.n_sub; j++) {
        struct search_block sub = sub_block(job, job->w, j);
        struct line line = line_of(params, j);
        error += (double)search_error(&sub, line.scale, -line.min);
    }
    return error;
}

/* The error as the user would compute it: of the input as given, in double. */
static double bounding_error(const struct job *job, const struct k_params *params)
{
    double error = 0;
    size_t e = 0; /* in the super-block */
    for (int j = 0; j < job->type->shape.n_sub; j++) {
        struct search_block sub = sub_block(job, job->a, j);
        struct line line = line_of(params, j);
        for (size_t i = 0; i < sub.n; i++, e++) {
            float y = line.scale * level_of(&sub, line, i) - line.min;
            double r = (double)job->input[e] - (double)y;
            error += (job->importance ? (double)job->importance[e] : 1.0) * r * r;
        }
    }
    return error;
}

/* Takes the candidate, of the searched error given, if it is within the limit and better
 * than the best. */
static void offer(struct job *job, const struct k_params *params, double error)
{
    if (!(error < job->best_error) || bounding_error(job, params) > job->limit)
        return;
    job->best_error = error;
    job->best = *params;
}

/* ---- Integers ---------------------------------------------------------------------- */

/* The multiple of `unit` nearest to `wish`, within lo..hi. */
static int nearest(float wish, float unit, int lo, int hi)
{
    return unit != 0 ? (int)search_level(wish / unit, (float)lo, (float)hi) : 0;
}

/* Integers for the wishes: multiples of d and dmin. */
static void snap(const struct k_shape *shape, const struct wishes *wishes, float d, float dmin,
                 struct k_params *params)
{
    for (int j = 0; j < shape->n_sub; j++) {
        params->scale[j] =
            (int8_t)nearest(wishes->scale[j], d, shape->scale_lo, shape->scale_hi);
        params->min[j] = (uint8_t)nearest(wishes->min[j], dmin, 0, shape->min_hi);
    }
}

/* Pairs of integers for one sub-block. 3 scales by 3 mins or, signed, 2 by 3 scales. */
struct choices {
    int n;
    int scale[12], min[12];
};

static void add_choice(const struct k_shape *shape, int scale, int min, struct choices *choices)
{
    if (scale < shape->scale_lo || scale > shape->scale_hi || min < 0 || min > shape->min_hi)
        return;
    choices->scale[choices->n] = scale;
    choices->min[choices->n++] = min;
}

/* All within one of (scale, min); with signed scales also across zero, as the range of
 * levels is not symmetric. */
static void list_choices(const struct k_shape *shape, int scale, int min,
                         struct choices *choices)
{
    choices->n = 0;
    for (int s = scale - 1; s <= scale + 1; s++) {
        for (int m = min - 1; m <= min + 1; m++)
            add_choice(shape, s, m, choices);
        if (shape->scale_lo < 0)
            add_choice(shape, -s, min, choices);
    }
}

/* Takes the choice with the least error; that error. */
static float take_best(const struct search_block *sub, const struct choices *choices,
                       struct k_params *params, int j)
{
    const float d = fp16_to_float(params->d), dmin = fp16_to_float(params->dmin);
    float scale[12], offset[12], error[12];
    int n = 0, best = 0;
    for (; n < choices->n || n % SEARCH_LANES; n++) { /* the last lanes repeat the first */
        int k = n < choices->n ? n : 0;
        scale[n] = d * (float)choices->scale[k];
        offset[n] = -(dmin * (float)choices->min[k]);
    }
    search_errors(sub, scale, offset, error, (size_t)n);
    for (int k = 1; k < choices->n; k++)
        best = error[k] < error[best] ? k : best;
    params->scale[j] = (int8_t)choices->scale[best];
    params->min[j] = (uint8_t)choices->min[best];
    return error[best];
}

/* Moves every sub-block to its best neighbour; the error of the super-block. */
static double improve(const struct job *job, const float *weights, struct k_params *params)
{
    const struct k_shape *shape = &job->type->shape;
    double error = 0;
    for (int j = 0; j < shape->n_sub; j++) {
        struct search_block sub = sub_block(job, weights, j);
        struct choices choices;
        list_choices(shape, params->scale[j], params->min[j], &choices);
        error += (double)take_best(&sub, &choices, params, j);
    }
    return error;
}

/* ---- Least squares for d and dmin ------------------------------------------------------ */

/* Weighted sums for the model x = d * u - dmin * v, u = scale * level, v = min. */
struct normal {
    double uu, uv, vv, xu, xv;
};

static void add_sub_block(struct normal *sums, const struct search_block *sub,
                          const struct k_params *params, int j)
{
    const struct line line = line_of(params, j);
    float w = 0, q = 0, qq = 0, x = 0, xq = 0;
    for (size_t i = 0; i < sub->n; i++) {
        float level = level_of(sub, line, i);
        float wx = sub->w[i] * sub->x[i], wq = sub->w[i] * level;
        w += sub->w[i];
        q += wq;
        qq += wq * level;
        x += wx;
        xq += wx * level;
    }
    const double u = params->scale[j], v = params->min[j];
    sums->uu += u * u * (double)qq;
    sums->uv += u * v * (double)q;
    sums->vv += v * v * (double)w;
    sums->xu += u * (double)xq;
    sums->xv += v * (double)x;
}

/* False where d and dmin stay as they are, by least squares or because the integers do not
 * determine them. */
static bool refit(const struct job *job, struct k_params *params)
{
    struct normal s = {0, 0, 0, 0, 0};
    for (int j = 0; j < job->type->shape.n_sub; j++) {
        struct search_block sub = sub_block(job, job->w, j);
        add_sub_block(&s, &sub, params, j);
    }
    double det = s.uu * s.vv - s.uv * s.uv;
    if (!(s.uu > 0))
        return false;
    uint16_t d = params->d, dmin = params->dmin;
    if (det > 1e-9 * s.uu * s.vv) {
        params->d = search_half((float)((s.xu * s.vv - s.xv * s.uv) / det));
        params->dmin = search_half((float)((s.xu * s.uv - s.xv * s.uu) / det));
    } else {
        double offset = (double)fp16_to_float(dmin) * s.uv;
        params->d = search_half((float)((s.xu + offset) / s.uu));
    }
    return params->d != d || params->dmin != dmin;
}

/* ---- Starts ------------------------------------------------------------------------------ */

/* Half precision of v, but never 0 for what is not 0: the smallest value there is may
 * still carry tiny blocks. */
static uint16_t half_not_zero(float v)
{
    uint16_t half = search_half(v);
    if (v != 0 && (half & 0x7fff) == 0)
        half |= 1;
    return half;
}

/* The wish of largest magnitude. */
static float largest(const float *wishes, int n)
{
    float max = 0;
    for (int j = 0; j < n; j++)
        if (fabsf(wishes[j]) > fabsf(max))
            max = wishes[j];
    return max;
}

static void make_wishes(const struct job *job, struct wishes *wishes)
{
    const struct k_shape *shape = &job->type->shape;
    for (int j = 0; j < shape->n_sub; j++) {
        struct search_block sub = sub_block(job, job->w, j);
        struct search_line line =
            shape->min_hi ? search_scale_offset(&sub, 0) : search_scale(&sub);
        wishes->scale[j] = line.scale;
        wishes->min[j] = -line.offset;
    }
}

/* A candidate and its searched error. */
struct candidate {
    struct k_params params;
    double error;
};

/* Makes a candidate of d and dmin; keeps it if it is the best start. */
static void try_start(struct job *job, const struct wishes *wishes, float d, float dmin,
                      struct candidate *best)
{
    struct candidate start = {{.d = half_not_zero(d), .dmin = half_not_zero(dmin)}, 0};
    snap(&job->type->shape, wishes, fp16_to_float(start.params.d),
         fp16_to_float(start.params.dmin), &start.params);
    start.error = improve(job, job->w, &start.params);
    offer(job, &start.params, start.error);
    if (start.error < best->error)
        *best = start;
}

static void search(struct job *job)
{
    /* Where d and dmin start: parts of what their largest wish asks for. */
    static const float shrink[] = {1, 1.02f, 0.98f, 0.96f, 0.94f};
    const int rounds = 3;
    const struct k_shape *shape = &job->type->shape;
    struct wishes wishes;
    make_wishes(job, &wishes);
    float scale = largest(wishes.scale, shape->n_sub);
    float min = largest(wishes.min, shape->n_sub);
    struct candidate best = {.error = INFINITY};
    for (size_t i = 0; i < sizeof shrink / sizeof shrink[0]; i++) {
        float dmin = shape->min_hi ? min / (float)shape->min_hi * shrink[i] : 0;
        try_start(job, &wishes, scale / (float)shape->scale_hi * shrink[i], dmin, &best);
        if (shape->scale_lo < 0)
            try_start(job, &wishes, scale / (float)shape->scale_lo * shrink[i], 0, &best);
    }
    for (int i = 0; i < rounds && refit(job, &best.params); i++)
        offer(job, &best.params, improve(job, job->w, &best.params));
}

/* ---- Round to nearest -------------------------------------------------------------------- */

/* What rounding to nearest wishes: the range of the sub-block is covered exactly, either
 * by all levels from the min on or by the levels from 0 to `end`. */
static void nearest_wishes(const struct job *job, int end, struct wishes *wishes)
{
    const struct k_shape *shape = &job->type->shape;
    const int len = QK_K / shape->n_sub;
    for (int j = 0; j < shape->n_sub; j++) {
        const float *x = job->x + j * len;
        float low = 0, high = x[0];
        for (int i = 0; i < len; i++) {
            low = x[i] < low ? x[i] : low;
            high = x[i] > high ? x[i] : high;
        }
        float range = shape->min_hi ? high - low : -low > high ? low : high;
        wishes->scale[j] = range / (float)end;
        wishes->min[j] = shape->min_hi ? -low : 0;
    }
}

/* Lowers the limit to the candidate's bounding error. */
static void lower_limit(struct job *job, const struct k_params *params)
{
    double error = bounding_error(job, params);
    if (!(error < job->limit))
        return;
    job->limit = error;
    job->best = *params;
    job->best_error = searched_error(job, params);
}

/* Rounding to nearest, as it is and with the best neighbours: sets the limit. The integers
 * are multiples of the d that is stored, or of d before it was rounded to half precision,
 * which differs where d is subnormal. */
static void try_integers(struct job *job, const struct wishes *wishes, float d, float dmin)
{
    struct k_params params = {.d = search_half(d), .dmin = search_half(dmin)};
    struct k_params unrounded = params;
    const struct k_shape *shape = &job->type->shape;
    snap(shape, wishes, fp16_to_float(params.d), fp16_to_float(params.dmin), &params);
    lower_limit(job, &params);
    snap(shape, wishes, d, dmin, &unrounded);
    if (memcmp(&params, &unrounded, sizeof params) != 0)
        lower_limit(job, &unrounded);
    improve(job, job->a, &params);
    lower_limit(job, &params);
}

/* What rounding to nearest makes of a range for every sub-block. */
static void try_nearest(struct job *job, int level_end, int scale_end)
{
    const struct k_shape *shape = &job->type->shape;
    struct wishes wishes;
    nearest_wishes(job, level_end, &wishes);
    float d = largest(wishes.scale, shape->n_sub) / (float)scale_end, dmin = 0;
    if (shape->min_hi)
        dmin = largest(wishes.min, shape->n_sub) / (float)shape->min_hi;
    try_integers(job, &wishes, d, dmin);
}

static void round_to_nearest(struct job *job)
{
    const struct k_shape *shape = &job->type->shape;
    job->limit = INFINITY;
    job->best = (struct k_params){0};
    job->best_error = INFINITY;
    try_nearest(job, shape->level_hi, shape->scale_hi);
    if (shape->scale_lo == 0)
        return;
    try_nearest(job, shape->level_hi, shape->scale_lo);
    try_nearest(job, shape->level_lo, shape->scale_hi);
    try_nearest(job, shape->level_lo, shape->scale_lo);
}

/* ---- Encoders -------------------------------------------------------------------- */

static void round_levels(const struct job *job, struct k_fields *fields)
{
    const struct k_shape *shape = &job->type->shape;
    uint8_t *level = fields->level;
    for (int j = 0; j < shape->n_sub; j++) {
        struct search_block sub = sub_block(job, job->w, j);
        struct line line = line_of(&fields->params, j);
        for (size_t i = 0; i < sub.n; i++)
            *level++ = (uint8_t)((int)level_of(&sub, line, i) - shape->level_lo);
    }
}

static void encode_block(const struct k_type *type, const float *x, const float *importance,
                         void *block)
{
    struct job job = {.type = type, .input = x, .importance = importance};
    struct k_fields fields;
    start_job(&job);
    round_to_nearest(&job);
    search(&job);
    fields.params = job.best;
    round_levels(&job, &fields);
    type->pack(&fields, block);
}

static void encode(const struct k_type *type, const float *x, void *blocks, size_t n,
                   const float *importance)
{
    uint8_t *block = blocks;
    for (size_t i = 0; i < n; i += QK_K, block += type->block_bytes)
        encode_block(type, x + i, importance ? importance + i : NULL, block);
}

#define ENCODER(name, type)                                                                    \
    QUANT_ENCODER(name, any)                                                                   \
    {                                                                                          \
        encode(&type, x, blocks, n, importance);                                               \
    }
ENCODER(q2_K, k_type_q2_K)
ENCODER(q3_K, k_type_q3_K)
ENCODER(q4_K, k_type_q4_K)
ENCODER(q5_K, k_type_q5_K)
ENCODER(q6_K, k_type_q6_K)
