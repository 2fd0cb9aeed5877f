/* A context: the cache of keys and values, and the working memory of one part. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libgguf/checked.h"
#include "libgguf/error.h"
#include "model/attention.h"
#include "model/internal.h"
#include "model/latent.h"
#include "model/matmul.h"

#define ALIGNMENT 64

void *context_alloc(struct model_context *ctx, uint64_t count, uint64_t size)
{
    uint64_t bytes;
    void *memory = NULL;
    if (!checked_mul(count, size, &bytes) || bytes > SIZE_MAX / 2 ||
        posix_memalign(&memory, ALIGNMENT, bytes ? (size_t)bytes : 1) != 0)
        return NULL;
    ctx->bytes += bytes;
    return memory;
}

/* ---- Sizes ----------------------------------------------------------------------- */

/* The widest rows of any layer. */
struct widths {
    uint64_t q, k, v, out, qkv, ff, used, columns;
};

static void widen(uint64_t *a, uint64_t b)
{
    *a = b > *a ? b : *a;
}

/* The shapes of tensors are checked: no width is more than the file has. */
static uint64_t columns_of(const struct model_weight *w)
{
    return w ? w->columns : 0;
}

static struct widths find_widths(const struct model *model)
{
    struct widths w = {0};
    bool mla = model->arch->traits & TRAIT_MLA;
    for (uint32_t il = 0; il < model_layers(model); il++) {
        const struct model_layer *layer = &model->layers[il];
        struct model_heads heads = model_heads(model, il);
        widen(&w.q, (uint64_t)heads.heads * heads.key);
        widen(&w.k, (uint64_t)heads.kv_heads * heads.key);
        widen(&w.v, (uint64_t)heads.kv_heads * heads.value);
        widen(&w.out, (uint64_t)heads.heads * heads.value);
        widen(&w.out, columns_of(layer->w[ROLE_ATTN_OUT])); /* of MLA after decompression */
        widen(&w.qkv, mla ? latent_width(model, il) : 0);
        widen(&w.ff, columns_of(layer->w[ROLE_DOWN]));
        widen(&w.ff, columns_of(layer->w[ROLE_DOWN_EXPS]));
        widen(&w.ff, columns_of(layer->w[ROLE_DOWN_SHARED]));
        widen(&w.used, layer->w[ROLE_ROUTER] ? model->h.layer[il].experts_used : 0);
    }
    w.qkv = mla ? w.qkv : w.q + w.k + w.v;
    for (size_t i = 0; i < model->n_weights; i++)
        widen(&w.columns, model->weights[i].columns);
    return w;
}

static bool alloc_part(struct model_context *ctx, const struct widths *w)
{
    uint64_t n = ctx->capacity, e = ctx->model->h.embedding;
    uint64_t experts = ctx->model->h.experts;
    bool two = ctx->model->arch->traits & TRAIT_FUSED_GATE;
    ctx->runs = context_alloc(ctx, n, sizeof *ctx->runs);
    ctx->positions = context_alloc(ctx, n, sizeof *ctx->positions);
    ctx->x = context_alloc(ctx, n * e, sizeof(float));
    ctx->normed = context_alloc(ctx, n * e, sizeof(float));
    ctx->other = context_alloc(ctx, n * e, sizeof(float));
    ctx->added = context_alloc(ctx, n * e, sizeof(float));
    ctx->q = context_alloc(ctx, n * w->q, sizeof(float));
    ctx->k = context_alloc(ctx, n * w->k, sizeof(float));
    ctx->v = context_alloc(ctx, n * w->v, sizeof(float));
    ctx->qkv = context_alloc(ctx, n * w->qkv, sizeof(float));
    ctx->attended = context_alloc(ctx, n * w->out, sizeof(float));
    ctx->gate = context_alloc(ctx, n * w->ff * (two ? 2 : 1), sizeof(float));
    ctx->up = context_alloc(ctx, n * w->ff, sizeof(float));
    ctx->router = context_alloc(ctx, n * experts, sizeof(float));
    ctx->chosen = context_alloc(ctx, n * w->used, sizeof(uint32_t));
    ctx->gathered = context_alloc(ctx, experts ? n * e : 0, sizeof(float));
    ctx->expert_out = context_alloc(ctx, experts ? n * e : 0, sizeof(float));
    return ctx->runs && ctx->positions && ctx->x && ctx->normed && ctx->other && ctx->added &&
           ctx->q && ctx->k && ctx->v && ctx->qkv && ctx->attended && ctx->gate && ctx->up &&
           ctx->router && ctx->chosen && ctx->gathered && ctx->expert_out;
}

static bool alloc_scratch(struct model_context *ctx, const struct widths *w)
{
    const struct model *model = ctx->model;
    ctx->scratch_bytes = matmul_scratch_bytes(model, ctx->capacity);
    for (uint32_t il = 0; il < model_layers(model); il++) {
        struct model_heads heads = model_heads(model, il);
        size_t bytes = attention_scratch_bytes(model, &heads, ctx->n_ctx);
        ctx->scratch_bytes = bytes > ctx->scratch_bytes ? bytes : ctx->scratch_bytes;
    }
    ctx->scratch_bytes = (ctx->scratch_bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    ctx->packed_bytes = matmul_packed_bytes(model, ctx->capacity, (size_t)w->columns);
    ctx->packed = context_alloc(ctx, ctx->packed_bytes, 1);
    ctx->scratch = context_alloc(ctx, ctx->scratch_bytes, (uint64_t)model->threads);
    return ctx->packed && ctx->scratch;
}

/* ---- Cache ----------------------------------------------------------------------- */

static bool alloc_cache(struct model_context *ctx)
{
    uint64_t cells = (uint64_t)ctx->n_ctx * ctx->sequences;
    uint32_t layers = model_layers(ctx->model);
    ctx->cache = calloc(layers, sizeof ctx->cache[0]);
    ctx->lengths = calloc(ctx->sequences, sizeof ctx->lengths[0]);
    if (!ctx->cache || !ctx->lengths)
        return false;
    for (uint32_t il = 0; il < layers; il++) {
        struct model_heads heads = model_heads(ctx->model, il);
        struct model_cache_layer *c = &ctx->cache[il];
        bool absorbed = ctx->model->layers[il].w[ROLE_K_B] != NULL;
        c->k = context_alloc(ctx, cells, (uint64_t)heads.kv_heads * heads.key * sizeof(float));
        if (!absorbed)
            c->v = context_alloc(ctx, cells,
                                 (uint64_t)heads.kv_heads * heads.value * sizeof(float));
        if (!c->k || (!absorbed && !c->v))
            return false;
    }
    return true;
}

static void store_values(const struct model_context *ctx, const float *from, float *to,
                         size_t n)
{
    if (ctx->model->settings.half_cache)
        ctx->model->kernels->round_half(from, to, n);
    else
        memcpy(to, from, n * sizeof(float));
}

void cache_store(struct model_context *ctx, uint32_t il)
{
    struct model_heads heads = model_heads(ctx->model, il);
    size_t k = (size_t)heads.kv_heads * heads.key, v = (size_t)heads.kv_heads * heads.value;
    const struct model_cache_layer *c = &ctx->cache[il];
    for (size_t i = 0; i < ctx->n_runs; i++) {
        const struct model_run *run = &ctx->runs[i];
        size_t cell = (size_t)run->sequence * ctx->n_ctx + run->position;
        store_values(ctx, ctx->k + run->first * k, c->k + cell * k, run->count * k);
        if (c->v)
            store_values(ctx, ctx->v + run->first * v, c->v + cell * v, run->count * v);
    }
}

void model_context_reset(struct model_context *context)
{
    memset(context->lengths, 0, context->sequences * sizeof context->lengths[0]);
}

void model_context_truncate(struct model_context *context, uint32_t sequence, uint32_t length)
{
    if (sequence < context->sequences && context->lengths[sequence] > length)
        context->lengths[sequence] = length;
}

uint32_t model_context_length(const struct model_context *context, uint32_t sequence)
{
    return sequence < context->sequences ? context->lengths[sequence] : 0;
}

uint64_t model_context_bytes(const struct model_context *context)
{
    return context->bytes;
}

/* ---- Life ------------------------------------------------------------------------ */

static enum gguf_status check_shape(const struct model *model, const struct model_shape *shape,
                                    struct gguf_error *err)
{
    bool learned = model->global[GLOBAL_POSITION_EMBD] != NULL;
    uint32_t most = learned ? model->h.context : 1u << 30;
    if (shape->n_ctx > 0 && shape->n_ctx <= most)
        return GGUF_OK;
    return gguf_fail(err, GGUF_ERR_ARGUMENT, GGUF_NO_OFFSET,
                     "a context of %u positions, expected 1 to %u%s", shape->n_ctx, most,
                     learned ? " (the model has learned that many)" : "");
}

enum gguf_status model_context_new(struct model_context **out, const struct model *model,
                                   const struct model_shape *shape, struct gguf_error *err)
{
    *out = NULL;
    enum gguf_status status = check_shape(model, shape, err);
    if (status != GGUF_OK)
        return status;
    struct model_context *ctx = calloc(1, sizeof *ctx);
    if (!ctx)
        return gguf_fail_memory(err);
    struct widths widths = find_widths(model);
    ctx->model = model;
    ctx->n_ctx = shape->n_ctx;
    ctx->sequences = shape->sequences ? shape->sequences : 1;
    uint64_t cells = (uint64_t)ctx->n_ctx * ctx->sequences;
    ctx->capacity = cells < PART_TOKENS ? (size_t)cells : PART_TOKENS;
    if (!alloc_part(ctx, &widths) || !alloc_scratch(ctx, &widths) || !alloc_cache(ctx) ||
        rope_init(ctx) != GGUF_OK) {
        model_context_free(ctx);
        return gguf_fail(err, GGUF_ERR_MEMORY, GGUF_NO_OFFSET,
                         "out of memory for a context of %u positions and %u sequences",
                         shape->n_ctx, shape->sequences ? shape->sequences : 1);
    }
    *out = ctx;
    return GGUF_OK;
}

void model_context_free(struct model_context *context)
{
    if (!context)
        return;
    void *const parts[] = {context->runs,     context->positions,  context->x,
                           context->normed,   context->other,      context->added,
                           context->q,        context->k,          context->v,
                           context->qkv,      context->attended,   context->gate,
                           context->up,       context->router,     context->chosen,
                           context->gathered, context->expert_out, context->packed,
                           context->scratch,  context->hidden,     context->lengths};
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
        free(parts[i]);
    for (uint32_t il = 0; context->cache && il < model_layers(context->model); il++) {
        free(context->cache[il].k);
        free(context->cache[il].v);
    }
    free(context->cache);
    rope_free(context);
    free(context);
}
