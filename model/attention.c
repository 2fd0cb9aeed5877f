/*
 * Scaled dot-product attention over the cache.
 *
 * A piece of work is one head of keys and values with the query heads that share it, for a
 * block of consecutive tokens of one sequence; its `rows` are those tokens times those
 * heads. Keys [from, to) are what any of its tokens sees:
 *
 *     queries  [rows / mr][key][mr]      laid out for the kernel
 *     scores   [keys / nr][rows][nr]     Q K^T, later as probabilities
 *     weights  [rows / mr][keys][mr]     laid out anew
 *     panel    [key or keys][nr]         of K, then of V
 *     sums     [rows][nr]                of the result
 */
#include <math.h>
#include <omp.h>
#include <string.h>

#include "model/attention.h"
#include "model/internal.h"

#define BLOCK_ROWS 128 /* rows of a piece of work, about */

struct piece {
    const struct model_context *ctx;
    const struct model_run *run;
    struct model_heads heads;
    uint32_t il;
    uint32_t kv_head;
    uint32_t first, tokens; /* of the run */
    size_t rows, groups;    /* tokens * heads that share, and groups of mr */
    size_t from, keys;      /* cache positions that are seen */
    float *memory;
};

/* Where the parts of a piece are in its memory. */
struct piece_memory {
    float *queries, *scores, *weights, *panel, *sums, *row;
};

static size_t round_up(size_t n, size_t to)
{
    return (n + to - 1) / to * to;
}

static uint32_t block_tokens(const struct model_heads *heads)
{
    uint32_t share = heads->heads / heads->kv_heads;
    return share < BLOCK_ROWS ? BLOCK_ROWS / share : 1;
}

static size_t longest(const struct model_heads *heads)
{
    return heads->key > heads->value ? heads->key : heads->value;
}

size_t attention_scratch_bytes(const struct model *model, const struct model_heads *heads,
                               size_t n_ctx)
{
    const struct model_kernels *k = model->kernels;
    size_t rows =
        round_up((size_t)block_tokens(heads) * (heads->heads / heads->kv_heads), k->mr);
    size_t keys = round_up(n_ctx, k->nr);
    size_t panel = (keys > longest(heads) ? keys : longest(heads)) * k->nr;
    size_t floats = rows * longest(heads) + 2 * rows * keys + panel + rows * k->nr + keys;
    return floats * sizeof(float);
}

static struct piece_memory divide(const struct piece *p)
{
    const struct model_kernels *k = p->ctx->model->kernels;
    size_t rows = p->groups * k->mr, keys = round_up(p->keys, k->nr);
    struct piece_memory m;
    m.queries = p->memory;
    m.scores = m.queries + rows * longest(&p->heads);
    m.weights = m.scores + rows * keys;
    m.panel = m.weights + rows * keys;
    m.sums = m.panel + (keys > p->heads.key ? keys : p->heads.key) * k->nr;
    m.row = m.sums + rows * k->nr;
    return m;
}

/* Query heads that share one head of K and V. */
static size_t share_of(const struct piece *p)
{
    return p->heads.heads / p->heads.kv_heads;
}

/* Row r of a piece: token r / share, head r % share of those that share K and V. */
static size_t row_token(const struct piece *p, size_t r)
{
    return p->run->first + p->first + r / share_of(p);
}

static size_t row_head(const struct piece *p, size_t r)
{
    return p->kv_head * share_of(p) + r % share_of(p);
}

static void pack_queries(const struct piece *p, float *out)
{
    size_t mr = p->ctx->model->kernels->mr, key = p->heads.key;
    for (size_t r = 0; r < p->rows; r++) {
        const float *q = p->ctx->q + (row_token(p, r) * p->heads.heads + row_head(p, r)) * key;
        float *to = out + r / mr * key * mr + r % mr;
        for (size_t j = 0; j < key; j++)
            to[j * mr] = q[j];
    }
}

/* K and V of cache position `at`, of the piece's head. */
static const float *key_at(const struct piece *p, size_t at)
{
    size_t row = (size_t)p->run->sequence * p->ctx->n_ctx + at;
    return p->ctx->cache[p->il].k + (row * p->heads.kv_heads + p->kv_head) * p->heads.key;
}

static const float *value_at(const struct piece *p, size_t at)
{
    size_t row = (size_t)p->run->sequence * p->ctx->n_ctx + at;
    if (!p->ctx->cache[p->il].v) /* the first elements of the key */
        return key_at(p, at);
    return p->ctx->cache[p->il].v + (row * p->heads.kv_heads + p->kv_head) * p->heads.value;
}

/* All groups of rows against one panel of nr weights. */
static void multiply(const struct piece *p, const float *x, size_t columns, const float *panel,
                     float *out)
{
    const struct model_kernels *k = p->ctx->model->kernels;
    for (size_t g = 0; g < p->groups; g++) {
        size_t left = p->rows - g * k->mr;
        struct kernel_tile tile = {.w = panel,
                                   .x = x + g * columns * k->mr,
                                   .c = out + g * k->mr * k->nr,
                                   .columns = columns,
                                   .m = left < k->mr ? left : k->mr};
        k->tile(&tile);
    }
}

/* Keys of positions [at, at + n) of the piece as a panel, [key][nr]. */
static void key_panel(const struct piece *p, size_t at, size_t n, float *panel)
{
    const struct model_kernels *k = p->ctx->model->kernels;
    size_t key = p->heads.key, stride = p->heads.kv_heads * key;
    const float *rows = key_at(p, p->from + at);
    if (n == k->nr) {
        k->panel(rows, stride, key, panel);
        return;
    }
    memset(panel, 0, key * k->nr * sizeof(float));
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < key; j++)
            panel[j * k->nr + i] = rows[i * stride + j];
}

static void score(const struct piece *p, const struct piece_memory *m)
{
    size_t nr = p->ctx->model->kernels->nr, mr = p->ctx->model->kernels->mr;
    pack_queries(p, m->queries);
    for (size_t at = 0; at < p->keys; at += nr) {
        size_t n = p->keys - at < nr ? p->keys - at : nr;
        key_panel(p, at, n, m->panel);
        multiply(p, m->queries, p->heads.key, m->panel, m->scores + at * p->groups * mr);
    }
}

static void softcap(float *x, size_t n, float scale, float cap)
{
    for (size_t i = 0; i < n; i++)
        x[i] = cap * tanhf(x[i] * scale / cap);
}

float model_attention_scale(const struct model_context *ctx, const struct model_heads *heads)
{
    const struct model *model = ctx->model;
    const struct model_hparams *h = &model->h;
    if (h->attention_scale != 0.0f)
        return h->attention_scale;
    if (model->arch->wide_scale_layers && h->layers == model->arch->wide_scale_layers) {
        uint32_t width = h->embedding / heads->heads;
        return 1.0f / sqrtf((float)width);
    }
    if (!(model->arch->traits & TRAIT_MLA))
        return 1.0f / sqrtf((float)heads->key);
    /* Of the decompressed heads, with YaRN's temperature (DeepSeek-V2, appendix B). */
    double key = model_latent_lengths(h).key;
    double factor = (double)h->rope.factor;
    double t = 1.0 + (double)h->rope.log_multiplier * (factor > 1.0 ? log(factor) : 0.0);
    t *= (double)ctx->rope.magnitude;
    return (float)(t * t / sqrt(key));
}

/* The scores of row r, [first, last) of the piece's keys, as probabilities laid out for the
 * product with V. What the token does not see is 0. */
static void normalize_row(const struct piece *p, const struct piece_memory *m, size_t r,
                          float scale)
{
    const struct model_kernels *k = p->ctx->model->kernels;
    const struct model_hparams *h = &p->ctx->model->h;
    size_t position = p->run->position + p->first + r / share_of(p);
    size_t last = position + 1 - p->from, first = 0;
    if (h->layer[p->il].sliding && position + 1 > h->window)
        first = position + 1 - h->window - p->from;
    float *row = m->row;
    for (size_t at = 0; at < last; at += k->nr) /* whole panels: there is room behind keys */
        memcpy(row + at, m->scores + at * p->groups * k->mr + r * k->nr, k->nr * sizeof(float));
    float cap = h->attn_softcap != 0.0f ? h->attn_softcap : p->ctx->model->arch->attn_softcap;
    if (cap != 0.0f) {
        softcap(row + first, last - first, scale, cap);
        scale = 1.0f;
    }
    float sum = k->softmax(row + first, last - first, scale), inverse = 1.0f / sum;
    float *to = m->weights + r / k->mr * p->keys * k->mr + r % k->mr;
    for (size_t i = 0; i < first; i++)
        to[i * k->mr] = 0.0f;
    for (size_t i = first; i < last; i++)
        to[i * k->mr] = row[i] * inverse;
    for (size_t i = last; i < p->keys; i++)
        to[i * k->mr] = 0.0f;
}

static void store_values(const struct piece *p, const float *sums, size_t from, size_t n)
{
    size_t nr = p->ctx->model->kernels->nr, value = p->heads.value;
    for (size_t r = 0; r < p->rows; r++)
        memcpy(p->ctx->attended + (row_token(p, r) * p->heads.heads + row_head(p, r)) * value +
                   from,
               sums + r * nr, n * sizeof(float));
}

static void mix_values(const struct piece *p, const struct piece_memory *m)
{
    size_t nr = p->ctx->model->kernels->nr;
    for (size_t from = 0; from < p->heads.value; from += nr) {
        size_t n = p->heads.value - from < nr ? p->heads.value - from : nr;
        if (n < nr)
            memset(m->panel, 0, p->keys * nr * sizeof(float));
        for (size_t i = 0; i < p->keys; i++)
            memcpy(m->panel + i * nr, value_at(p, p->from + i) + from, n * sizeof(float));
        multiply(p, m->weights, p->keys, m->panel, m->sums);
        store_values(p, m->sums, from, n);
    }
}

static void attend_piece(struct piece *p)
{
    const struct model *model = p->ctx->model;
    size_t position = p->run->position + p->first, window = model->h.window;
    bool sliding = model->h.layer[p->il].sliding;
    p->rows = p->tokens * share_of(p);
    p->groups = (p->rows + model->kernels->mr - 1) / model->kernels->mr;
    p->from = sliding && position + 1 > window ? position + 1 - window : 0;
    p->keys = position + p->tokens - p->from;
    struct piece_memory m = divide(p);
    score(p, &m);
    float scale = model_attention_scale(p->ctx, &p->heads);
    for (size_t r = 0; r < p->rows; r++)
        normalize_row(p, &m, r, scale);
    mix_values(p, &m);
}

/* Pieces of a run, and of all runs. */
static size_t pieces_of(const struct model_run *run, const struct model_heads *heads)
{
    uint32_t block = block_tokens(heads);
    return (size_t)((run->count + block - 1) / block) * heads->kv_heads;
}

void model_attend(struct model_context *ctx, uint32_t il)
{
    struct model_heads heads = model_heads(ctx->model, il);
    uint32_t block = block_tokens(&heads);
    size_t total = 0;
    if (attention_half_wanted(ctx->model, &heads)) {
        attention_half(ctx, il);
        return;
    }
    for (size_t i = 0; i < ctx->n_runs; i++)
        total += pieces_of(&ctx->runs[i], &heads);
#pragma omp parallel for num_threads(ctx->model->threads) schedule(dynamic, 1)
    for (size_t i = 0; i < total; i++) {
        const struct model_run *run = ctx->runs;
        size_t left = total - 1 - i, piece; /* the last tokens first: they see the most */
        for (piece = left; piece >= pieces_of(run, &heads); run++)
            piece -= pieces_of(run, &heads);
        struct piece p = {.ctx = ctx, .run = run, .heads = heads, .il = il};
        p.kv_head = (uint32_t)(piece % heads.kv_heads);
        p.first = (uint32_t)(piece / heads.kv_heads) * block;
        p.tokens = run->count - p.first < block ? run->count - p.first : block;
        p.memory = (float *)(void *)((char *)ctx->scratch +
                                     (size_t)omp_get_thread_num() * ctx->scratch_bytes);
        attend_piece(&p);
    }
}
