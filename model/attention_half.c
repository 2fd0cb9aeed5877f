/*
 * Attention as llama.cpp's processor code does it where it has no kernel for the length of the
 * heads, over a cache in half precision: key by key, the queries and the sum of values rounded
 * to half precision at every step. For importance matrices that agree with llama-imatrix; see
 * docs/design/0016-half-cache.md.
 */
#include <math.h>
#include <omp.h>
#include <string.h>

#include "model/attention.h"

#define WHOLE 16 /* values of a head that its kernel takes at once */

bool attention_half_wanted(const struct model *model, const struct model_heads *heads)
{
    return model->settings.half_cache && heads->value % WHOLE != 0;
}

/* One query. Keys and values are those of its head at the first position it sees, `keys` of
 * them, each `stride` elements behind the last. */
struct query {
    const float *q, *k, *v;
    size_t k_stride, v_stride, keys;
    struct model_heads heads;
    float scale, cap;
    float *rounded; /* [key] */
    float *out;     /* [value] */
};

static float score(const struct query *query, size_t at)
{
    const float *k = query->k + at * query->k_stride;
    double sum = 0.0;
    for (size_t j = 0; j < query->heads.key; j++)
        sum += (double)query->rounded[j] * (double)k[j];
    if (query->cap != 0.0f)
        return query->cap * tanhf((float)sum * query->scale / query->cap);
    return (float)sum * query->scale;
}

/* The running maximum of the scores is taken out of the exponents. */
static void attend(const struct model_kernels *kernels, const struct query *query)
{
    size_t value = query->heads.value;
    float largest = -INFINITY, total = 0.0f;
    kernels->round_half(query->q, query->rounded, query->heads.key);
    memset(query->out, 0, value * sizeof(float));
    for (size_t at = 0; at < query->keys; at++) {
        const float *v = query->v + at * query->v_stride;
        float x = score(query, at), weight = 1.0f, older = 1.0f;
        if (x > largest) {
            older = (float)exp((double)(largest - x));
            largest = x;
            for (size_t j = 0; j < value; j++)
                query->out[j] *= older;
            kernels->round_half(query->out, query->out, value);
        } else {
            weight = (float)exp((double)(x - largest));
        }
        for (size_t j = 0; j < value; j++)
            query->out[j] = fmaf(v[j], weight, query->out[j]);
        kernels->round_half(query->out, query->out, value);
        total = total * older + weight;
    }
    for (size_t j = 0; j < value; j++)
        query->out[j] *= 1.0f / total;
}

/* Token t of the part, which run `run` holds, and its head number `head`. */
static struct query query_at(const struct model_context *ctx, uint32_t il,
                             const struct model_run *run, size_t t, size_t head)
{
    const struct model_hparams *h = &ctx->model->h;
    const struct model_cache_layer *cache = &ctx->cache[il];
    struct query query = {.heads = model_heads(ctx->model, il)};
    const struct model_heads *heads = &query.heads;
    size_t position = run->position + (t - run->first), first = 0;
    if (h->layer[il].sliding && position + 1 > h->window)
        first = position + 1 - h->window;
    size_t cell = (size_t)run->sequence * ctx->n_ctx + first;
    size_t kv_head = head / (heads->heads / heads->kv_heads);
    query.keys = position + 1 - first;
    query.k_stride = (size_t)heads->kv_heads * heads->key;
    query.v_stride = cache->v ? (size_t)heads->kv_heads * heads->value : query.k_stride;
    query.q = ctx->q + (t * heads->heads + head) * heads->key;
    query.k = cache->k + cell * query.k_stride + kv_head * heads->key;
    query.v = cache->v ? cache->v + cell * query.v_stride + kv_head * heads->value : query.k;
    query.out = ctx->attended + (t * heads->heads + head) * heads->value;
    query.scale = model_attention_scale(ctx, heads);
    query.cap = h->attn_softcap != 0.0f ? h->attn_softcap : ctx->model->arch->attn_softcap;
    return query;
}

void attention_half(struct model_context *ctx, uint32_t il)
{
    size_t heads = model_heads(ctx->model, il).heads;
    for (size_t r = 0; r < ctx->n_runs; r++) {
        const struct model_run *run = &ctx->runs[r];
#pragma omp parallel for num_threads(ctx->model->threads) schedule(dynamic, 16)
        for (size_t i = 0; i < run->count * heads; i++) {
            struct query query = query_at(ctx, il, run, run->first + i / heads, i % heads);
            query.rounded =
                (float *)(void *)((char *)ctx->scratch +
                                  (size_t)omp_get_thread_num() * ctx->scratch_bytes);
            attend(ctx->model->kernels, &query);
        }
    }
}
