/*
 * Multi-head latent attention (DeepSeek-V2, arXiv:2405.04434): keys and values are
 * compressed to `rank` elements that all heads share, besides `rope` rotated elements.
 *
 * Absorbed (attn_k_b, attn_v_b): the cache holds the compressed vector, and what would
 * decompress keys is applied to the queries, what would decompress values to the result:
 *
 *     q' = [k_b[head] q_unrotated | q_rotated]     k = v' = [compressed | k_rotated]
 *     out[head] = v_b[head] (probabilities . compressed)
 *
 * Joined (attn_kv_b): keys and values are decompressed and cached for every head.
 */
#include <string.h>

#include "model/internal.h"
#include "model/latent.h"

struct latent {
    struct model_context *ctx;
    const struct model_layer *layer;
    size_t heads, rank, rope;
    size_t key, value, unrotated; /* of a decompressed head */
    float *q;                     /* [n][heads * key] */
    float *kv;                    /* [n][rank + rope] */
    float *spare;                 /* what is left of ctx->qkv */
};

/* `spare` holds, one after the other, compressed queries [q_rank]; a head's queries
 * [unrotated]; values [heads * value] and a head's [rank]; or compressed values [rank] and the
 * keys and values from them [heads * (unrotated + value)]: the first or the last is longest. */
uint64_t latent_width(const struct model *model, uint32_t il)
{
    const struct model_hparams *h = &model->h;
    struct model_lengths lengths = model_latent_lengths(h);
    uint64_t heads = h->layer[il].heads, rank = h->kv_lora_rank, rope = h->rope.dims;
    uint64_t both = heads * (lengths.key - rope + lengths.value);
    uint64_t spare = rank + both > h->q_lora_rank ? rank + both : h->q_lora_rank;
    return heads * lengths.key + rank + rope + spare;
}

static struct latent divide(struct model_context *ctx, uint32_t il)
{
    const struct model_hparams *h = &ctx->model->h;
    struct latent l = {.ctx = ctx, .layer = &ctx->model->layers[il]};
    l.heads = h->layer[il].heads;
    l.rank = h->kv_lora_rank;
    l.rope = h->rope.dims;
    l.key = model_latent_lengths(h).key;
    l.value = model_latent_lengths(h).value;
    l.unrotated = l.key - l.rope;
    l.q = ctx->qkv;
    l.kv = l.q + ctx->n * l.heads * l.key;
    l.spare = l.kv + ctx->n * (l.rank + l.rope);
    return l;
}

static void multiply(const struct latent *l, const float *x, enum model_layer_role role,
                     float *y)
{
    const struct model_weight *w = l->layer->w[role];
    struct model_product product = {w, 0, y, (size_t)w->rows};
    model_multiply(l->ctx, x, l->ctx->n, &product, 1);
}

/* q = q_b norm(q_a x), or q x */
static void find_queries(const struct latent *l, const float *in)
{
    if (!l->layer->w[ROLE_Q_A]) {
        multiply(l, in, ROLE_Q, l->q);
        return;
    }
    size_t rank = (size_t)l->layer->w[ROLE_Q_A]->rows;
    struct model_rows rows = {l->spare, l->spare, l->ctx->n, rank, rank};
    multiply(l, in, ROLE_Q_A, l->spare);
    op_norm(l->ctx, &rows, l->layer->w[ROLE_Q_A_NORM], NULL);
    multiply(l, l->spare, ROLE_Q_B, l->q);
}

/* kv = [norm(compressed) | rotated key] */
static void find_compressed(const struct latent *l, const float *in)
{
    struct model_rows rows = {l->kv, l->kv, l->ctx->n, l->rank, l->rank + l->rope};
    struct model_rotation rotation = {l->kv + l->rank, 1, l->rank + l->rope, 0};
    multiply(l, in, ROLE_KV_A, l->kv);
    op_norm(l->ctx, &rows, l->layer->w[ROLE_KV_A_NORM], NULL);
    op_rope(l->ctx, &l->ctx->rope, &rotation);
}

/* One head's part of rows, [n][stride], as [n][length]. */
static void gather_head(const struct latent *l, const float *x, size_t stride, size_t length,
                        float *out)
{
    for (size_t t = 0; t < l->ctx->n; t++)
        memcpy(out + t * length, x + t * stride, length * sizeof(float));
}

/* ctx->q [n][heads][rank + rope] */
static void absorb_queries(const struct latent *l)
{
    size_t wide = l->rank + l->rope;
    for (size_t head = 0; head < l->heads; head++) {
        float *to = l->ctx->q + head * wide;
        const float *from = l->q + head * l->key;
        gather_head(l, from, l->heads * l->key, l->unrotated, l->spare);
        struct model_product product = {l->layer->w[ROLE_K_B], (uint32_t)head, to,
                                        l->heads * wide};
        model_multiply(l->ctx, l->spare, l->ctx->n, &product, 1);
        for (size_t t = 0; t < l->ctx->n; t++)
            memcpy(to + t * l->heads * wide + l->rank,
                   from + t * l->heads * l->key + l->unrotated, l->rope * sizeof(float));
    }
}

/* ctx->attended [n][heads][rank] to [n][heads][value], in place: value rows are gathered
 * from `spare`. */
static void decompress_values(const struct latent *l)
{
    float *out = l->spare, *one = out + l->ctx->n * l->heads * l->value;
    for (size_t head = 0; head < l->heads; head++) {
        gather_head(l, l->ctx->attended + head * l->rank, l->heads * l->rank, l->rank, one);
        struct model_product product = {l->layer->w[ROLE_V_B], (uint32_t)head,
                                        out + head * l->value, l->heads * l->value};
        model_multiply(l->ctx, one, l->ctx->n, &product, 1);
    }
    memcpy(l->ctx->attended, out, l->ctx->n * l->heads * l->value * sizeof(float));
}

/* ctx->k [n][heads][key], ctx->v [n][heads][value] */
static void decompress_keys(const struct latent *l)
{
    size_t both = l->unrotated + l->value;
    float *compressed = l->spare, *joined = compressed + l->ctx->n * l->rank;
    gather_head(l, l->kv, l->rank + l->rope, l->rank, compressed);
    multiply(l, compressed, ROLE_KV_B, joined);
    for (size_t t = 0; t < l->ctx->n; t++)
        for (size_t head = 0; head < l->heads; head++) {
            const float *from = joined + (t * l->heads + head) * both;
            float *k = l->ctx->k + (t * l->heads + head) * l->key;
            float *v = l->ctx->v + (t * l->heads + head) * l->value;
            memcpy(k, from, l->unrotated * sizeof(float));
            memcpy(k + l->unrotated, l->kv + t * (l->rank + l->rope) + l->rank,
                   l->rope * sizeof(float));
            memcpy(v, from + l->unrotated, l->value * sizeof(float));
        }
}

void latent_attention(struct model_context *ctx, uint32_t il, const float *in)
{
    struct latent l = divide(ctx, il);
    bool absorbed = l.layer->w[ROLE_K_B] != NULL;
    struct model_rotation rotation = {l.q + l.unrotated, l.heads, l.heads * l.key, l.key};
    find_queries(&l, in);
    op_rope(ctx, &ctx->rope, &rotation);
    find_compressed(&l, in);
    if (absorbed) {
        absorb_queries(&l);
        memcpy(ctx->k, l.kv, ctx->n * (l.rank + l.rope) * sizeof(float));
    } else {
        memcpy(ctx->q, l.q, ctx->n * l.heads * l.key * sizeof(float));
        decompress_keys(&l);
    }
    cache_store(ctx, il);
    model_attend(ctx, il);
    if (absorbed)
        decompress_values(&l);
}
