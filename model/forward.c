/* The forward pass: one function a step. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "libgguf/error.h"
#include "model/internal.h"
#include "model/latent.h"

/* ---- Attention ------------------------------------------------------------------- */

/* y [n][rows] = weight x, in one product or three. */
static void project_qkv(struct model_context *ctx, const struct model_layer *layer,
                        const struct model_heads *heads, const float *in)
{
    size_t q = (size_t)heads->heads * heads->key, k = (size_t)heads->kv_heads * heads->key;
    size_t v = (size_t)heads->kv_heads * heads->value, all = q + k + v;
    if (!layer->w[ROLE_QKV]) {
        const struct model_product products[] = {{layer->w[ROLE_Q], 0, ctx->q, q},
                                                 {layer->w[ROLE_K], 0, ctx->k, k},
                                                 {layer->w[ROLE_V], 0, ctx->v, v}};
        model_multiply(ctx, in, ctx->n, products, 3);
        op_add_bias(ctx, ctx->q, ctx->n, q, layer->w[ROLE_Q_BIAS]);
        op_add_bias(ctx, ctx->k, ctx->n, k, layer->w[ROLE_K_BIAS]);
        op_add_bias(ctx, ctx->v, ctx->n, v, layer->w[ROLE_V_BIAS]);
        return;
    }
    const struct model_product product = {layer->w[ROLE_QKV], 0, ctx->qkv, all};
    model_multiply(ctx, in, ctx->n, &product, 1);
    op_add_bias(ctx, ctx->qkv, ctx->n, all, layer->w[ROLE_QKV_BIAS]);
    for (size_t t = 0; t < ctx->n; t++) {
        const float *row = ctx->qkv + t * all;
        memcpy(ctx->q + t * q, row, q * sizeof(float));
        memcpy(ctx->k + t * k, row + q, k * sizeof(float));
        memcpy(ctx->v + t * v, row + q + k, v * sizeof(float));
    }
}

/* Norm of each head, or of all of them together. */
static void norm_heads(struct model_context *ctx, float *x, uint32_t heads, uint32_t length,
                       const struct model_weight *weight)
{
    bool whole = weight && ctx->model->arch->traits & TRAIT_QK_NORM_FULL;
    size_t row = (size_t)length * (whole ? heads : 1);
    struct model_rows rows = {x, x, ctx->n * (whole ? 1 : heads), row, row};
    if (weight)
        op_norm(ctx, &rows, weight, NULL);
}

static bool layer_has_rope(const struct model *model, uint32_t il)
{
    const struct model_arch *arch = model->arch;
    if (arch->rope == MODEL_ROPE_NONE || (arch->rope_on_sliding && !model->h.layer[il].sliding))
        return false;
    return arch->no_rope_step == 0 || (il + 1) % arch->no_rope_step != 0;
}

static void rotate(struct model_context *ctx, uint32_t il, const struct model_heads *heads)
{
    const struct model_rope *rope =
        ctx->model->h.layer[il].sliding ? &ctx->rope_sliding : &ctx->rope;
    size_t key = heads->key;
    struct model_rotation q = {ctx->q, heads->heads, heads->heads * key, key};
    struct model_rotation k = {ctx->k, heads->kv_heads, heads->kv_heads * key, key};
    if (!layer_has_rope(ctx->model, il))
        return;
    op_rope(ctx, rope, &q);
    op_rope(ctx, rope, &k);
}

/* Fills ctx->added. */
static void step_attention(struct model_context *ctx, uint32_t il, const float *in)
{
    const struct model_layer *layer = &ctx->model->layers[il];
    struct model_heads heads = model_heads(ctx->model, il);
    if (layer->w[ROLE_KV_A]) {
        latent_attention(ctx, il, in);
    } else {
        project_qkv(ctx, layer, &heads, in);
        norm_heads(ctx, ctx->q, heads.heads, heads.key, layer->w[ROLE_Q_NORM]);
        norm_heads(ctx, ctx->k, heads.kv_heads, heads.key, layer->w[ROLE_K_NORM]);
        rotate(ctx, il, &heads);
        cache_store(ctx, il);
        model_attend(ctx, il);
    }
    size_t embedding = ctx->model->h.embedding;
    const struct model_product out = {layer->w[ROLE_ATTN_OUT], 0, ctx->added, embedding};
    model_multiply(ctx, ctx->attended, ctx->n, &out, 1);
    op_add_bias(ctx, ctx->added, ctx->n, embedding, layer->w[ROLE_ATTN_OUT_BIAS]);
}

/* ---- Feed-forward ---------------------------------------------------------------- */

/* ctx->gate holds the input of ffn_down afterwards, [n][ff]. */
static void expand(struct model_context *ctx, const struct model_layer *layer, const float *in)
{
    size_t up = (size_t)layer->w[ROLE_UP]->rows, ff = (size_t)layer->w[ROLE_DOWN]->columns;
    bool gated = layer->w[ROLE_GATE] != NULL;
    const struct model_product products[] = {
        {layer->w[ROLE_UP], 0, gated ? ctx->up : ctx->gate, up},
        {layer->w[ROLE_GATE], 0, ctx->gate, ff}};
    model_multiply(ctx, in, ctx->n, products, gated ? 2 : 1);
    op_add_bias(ctx, products[0].y, ctx->n, up, layer->w[ROLE_UP_BIAS]);
    op_add_bias(ctx, ctx->gate, ctx->n, ff, layer->w[ROLE_GATE_BIAS]);
    struct model_gated g = {ctx->gate, gated ? ctx->up : NULL, ctx->n, ff, ff, ff};
    if (up == 2 * ff) { /* gate and up side by side */
        g.up = ctx->gate + ff;
        g.gate_stride = g.up_stride = up;
    }
    op_activate(ctx, &g);
    for (size_t t = 0; up == 2 * ff && t < ctx->n; t++)
        memmove(ctx->gate + t * ff, ctx->gate + t * up, ff * sizeof(float));
}

/* Likewise. */
static void step_feed_forward(struct model_context *ctx, uint32_t il, const float *in)
{
    const struct model_layer *layer = &ctx->model->layers[il];
    size_t embedding = ctx->model->h.embedding;
    if (layer->w[ROLE_ROUTER]) {
        step_experts(ctx, il, in);
        return;
    }
    const struct model_product down = {layer->w[ROLE_DOWN], 0, ctx->added, embedding};
    expand(ctx, layer, in);
    model_multiply(ctx, ctx->gate, ctx->n, &down, 1);
    op_add_bias(ctx, ctx->added, ctx->n, embedding, layer->w[ROLE_DOWN_BIAS]);
}

/* ---- Layer ----------------------------------------------------------------------- */

static const float *norm_into(struct model_context *ctx, float *to,
                              const struct model_weight *weight,
                              const struct model_weight *bias)
{
    size_t embedding = ctx->model->h.embedding;
    struct model_rows rows = {ctx->x, to, ctx->n, embedding, embedding};
    op_norm(ctx, &rows, weight, bias);
    return to;
}

/* x += scale * post_norm(added) */
static void add_to_stream(struct model_context *ctx, const struct model_weight *post_norm)
{
    const struct model_hparams *h = &ctx->model->h;
    struct model_rows rows = {ctx->added, ctx->added, ctx->n, h->embedding, h->embedding};
    if (post_norm)
        op_norm(ctx, &rows, post_norm, NULL);
    op_add(ctx, ctx->x, ctx->added, ctx->n * h->embedding,
           h->residual_scale != 0.0f ? h->residual_scale : 1.0f);
}

/* Keeps the rows of the wanted tokens alone. */
static void keep_rows(struct model_context *ctx, const bool *wanted)
{
    size_t embedding = ctx->model->h.embedding, kept = 0;
    float *const buffers[] = {ctx->x, ctx->normed, ctx->other};
    for (size_t t = 0; t < ctx->n; t++) {
        if (wanted && !wanted[t])
            continue;
        for (size_t b = 0; b < 3 && kept != t; b++)
            memcpy(buffers[b] + kept * embedding, buffers[b] + t * embedding,
                   embedding * sizeof(float));
        kept++;
    }
    ctx->n = kept;
}

/*
 * in sequence:  x += attention(norm(x));  x += feed_forward(ffn_norm(x))
 * in parallel:  x += attention(norm(x)) + feed_forward(norm(x) or ffn_norm(x))
 */
static void run_layer(struct model_context *ctx, uint32_t il, const bool *wanted)
{
    const struct model *model = ctx->model;
    struct model_weight *const *w = model->layers[il].w;
    bool last = il + 1 == model_layers(model);
    bool parallel = model->arch->parallel_key && model->h.parallel_residual;
    const float *in = ctx->x, *second = ctx->x;
    if (w[ROLE_ATTN_NORM])
        in = second = norm_into(ctx, ctx->normed, w[ROLE_ATTN_NORM], w[ROLE_ATTN_NORM_BIAS]);
    if (w[ROLE_ATTN_NORM_2])
        in = norm_into(ctx, ctx->other, w[ROLE_ATTN_NORM_2], w[ROLE_ATTN_NORM_2_BIAS]);
    step_attention(ctx, il, in);
    if (parallel)
        second = norm_into(ctx, ctx->other, w[ROLE_FFN_NORM], w[ROLE_FFN_NORM_BIAS]);
    add_to_stream(ctx, w[ROLE_ATTN_POST_NORM]);
    if (last)
        keep_rows(ctx, wanted);
    if (w[ROLE_FFN_NORM] && !parallel)
        second = norm_into(ctx, ctx->normed, w[ROLE_FFN_NORM], w[ROLE_FFN_NORM_BIAS]);
    step_feed_forward(ctx, il, second);
    add_to_stream(ctx, w[ROLE_FFN_POST_NORM]);
}

/* ---- Embedding and parts --------------------------------------------------------- */

static void embed(struct model_context *ctx, const uint32_t *tokens)
{
    const struct model *model = ctx->model;
    size_t embedding = model->h.embedding;
    const struct model_weight *positions = model->global[GLOBAL_POSITION_EMBD];
    float scale = model->arch->scale_embedding ? sqrtf((float)embedding) : 1.0f;
    if (model->h.embedding_scale != 0.0f)
        scale = model->h.embedding_scale;
    for (size_t t = 0; t < ctx->n; t++) {
        weight_row(model->global[GLOBAL_TOKEN_EMBD], tokens[t], ctx->x + t * embedding);
        if (positions)
            weight_row(positions, ctx->positions[t], ctx->added + t * embedding);
    }
    op_scale(ctx, ctx->x, ctx->n * embedding, scale);
    if (positions)
        op_add(ctx, ctx->x, ctx->added, ctx->n * embedding, 1.0f);
}

/* Divides tokens [0, n) into runs of one sequence each and gives them positions. */
static void find_runs(struct model_context *ctx, const uint32_t *sequences, size_t n)
{
    ctx->n = n;
    ctx->n_runs = 0;
    for (size_t t = 0; t < n; t++) {
        uint32_t sequence = sequences ? sequences[t] : 0;
        struct model_run *run = &ctx->runs[ctx->n_runs];
        if (ctx->n_runs > 0 && run[-1].sequence == sequence)
            run[-1].count++;
        else {
            *run = (struct model_run){sequence, ctx->lengths[sequence], (uint32_t)t, 1};
            ctx->n_runs++;
        }
        ctx->positions[t] = ctx->lengths[sequence]++;
    }
}

/* Final norm of the rows that are left, appended to ctx->hidden. */
static void finish_part(struct model_context *ctx)
{
    const struct model *model = ctx->model;
    size_t embedding = model->h.embedding;
    struct model_rows rows = {ctx->x, ctx->hidden + ctx->wanted * embedding, ctx->n, embedding,
                              embedding};
    op_norm(ctx, &rows, model->global[GLOBAL_OUTPUT_NORM],
            model->global[GLOBAL_OUTPUT_NORM_BIAS]);
    ctx->wanted += ctx->n;
}

static void run_part(struct model_context *ctx, const struct model_batch *part)
{
    find_runs(ctx, part->sequences, part->n);
    rope_prepare(ctx);
    embed(ctx, part->tokens);
    for (uint32_t il = 0; il < model_layers(ctx->model); il++)
        run_layer(ctx, il, part->wanted);
    finish_part(ctx);
}

/* ---- Batches --------------------------------------------------------------------- */

static enum gguf_status check_token(const struct model_context *ctx,
                                    const struct model_batch *batch, size_t i,
                                    struct gguf_error *err)
{
    uint32_t sequence = batch->sequences ? batch->sequences[i] : 0;
    uint64_t vocab = ctx->model->global[GLOBAL_TOKEN_EMBD]->rows;
    if (batch->tokens[i] >= vocab)
        return gguf_fail(err, GGUF_ERR_ARGUMENT, GGUF_NO_OFFSET,
                         "token %zu of the batch is %u, the vocabulary has %llu", i,
                         batch->tokens[i], (unsigned long long)vocab);
    if (sequence >= ctx->sequences)
        return gguf_fail(err, GGUF_ERR_ARGUMENT, GGUF_NO_OFFSET,
                         "token %zu of the batch is for sequence %u of %u", i, sequence,
                         ctx->sequences);
    return GGUF_OK;
}

/* Room in the sequences, by counting up and back. */
static enum gguf_status check_batch(struct model_context *ctx, const struct model_batch *batch,
                                    struct gguf_error *err)
{
    enum gguf_status status = GGUF_OK;
    size_t counted = 0;
    for (; counted < batch->n && status == GGUF_OK; counted++) {
        status = check_token(ctx, batch, counted, err);
        if (status != GGUF_OK)
            break;
        uint32_t sequence = batch->sequences ? batch->sequences[counted] : 0;
        if (ctx->lengths[sequence] >= ctx->n_ctx) {
            status = gguf_fail(err, GGUF_ERR_ARGUMENT, GGUF_NO_OFFSET,
                               "sequence %u has no room for more than %u tokens", sequence,
                               ctx->n_ctx);
            break;
        }
        ctx->lengths[sequence]++;
    }
    while (counted-- > 0)
        ctx->lengths[batch->sequences ? batch->sequences[counted] : 0]--;
    return status;
}

static enum gguf_status reserve_hidden(struct model_context *ctx, size_t wanted,
                                       struct gguf_error *err)
{
    size_t embedding = ctx->model->h.embedding;
    ctx->wanted = 0;
    if (wanted <= ctx->hidden_capacity)
        return GGUF_OK;
    free(ctx->hidden);
    ctx->bytes -= ctx->hidden_capacity * embedding * sizeof(float);
    ctx->hidden_capacity = 0;
    ctx->hidden = malloc(wanted * embedding * sizeof(float));
    if (!ctx->hidden)
        return gguf_fail_memory(err);
    ctx->hidden_capacity = wanted;
    ctx->bytes += wanted * embedding * sizeof(float);
    return GGUF_OK;
}

static enum gguf_status check_finite(const struct model_context *ctx, struct gguf_error *err)
{
    size_t embedding = ctx->model->h.embedding;
    for (size_t i = 0; i < ctx->wanted * embedding; i++)
        if (!isfinite(ctx->hidden[i]))
            return gguf_fail(err, GGUF_ERR_DATA, GGUF_NO_OFFSET,
                             "the hidden state of wanted token %zu is not finite: the weights "
                             "are broken (gguf-info --stats shows which)",
                             i / embedding);
    return GGUF_OK;
}

enum gguf_status model_eval(struct model_context *context, const struct model_batch *batch,
                            struct gguf_error *err)
{
    size_t wanted = batch->wanted ? 0 : batch->n;
    for (size_t i = 0; batch->wanted && i < batch->n; i++)
        wanted += batch->wanted[i];
    enum gguf_status status = check_batch(context, batch, err);
    if (status == GGUF_OK)
        status = reserve_hidden(context, wanted, err);
    if (status != GGUF_OK)
        return status;
    for (size_t from = 0; from < batch->n; from += context->capacity) {
        size_t left = batch->n - from;
        struct model_batch part = {
            .tokens = batch->tokens + from,
            .sequences = batch->sequences ? batch->sequences + from : NULL,
            .wanted = batch->wanted ? batch->wanted + from : NULL,
            .n = left < context->capacity ? left : context->capacity,
        };
        run_part(context, &part);
    }
    return check_finite(context, err);
}

size_t model_wanted(const struct model_context *context)
{
    return context->wanted;
}

/* ---- Logits ---------------------------------------------------------------------- */

static void scale_logits(const struct model_context *ctx, float *logits, size_t n)
{
    const struct model *model = ctx->model;
    float scale = model->h.logit_scale != 0.0f ? model->h.logit_scale : 1.0f;
    float cap =
        model->h.final_softcap != 0.0f ? model->h.final_softcap : model->arch->final_softcap;
    if (model->arch->logits == MODEL_LOGITS_TIMES)
        op_scale(ctx, logits, n, scale);
    else if (model->arch->logits == MODEL_LOGITS_DIVIDED)
        op_scale(ctx, logits, n, 1.0f / scale);
    op_softcap(ctx, logits, n, cap);
}

enum gguf_status model_logits(struct model_context *context, size_t first, size_t n,
                              float *logits, struct gguf_error *err)
{
    const struct model *model = context->model;
    const struct model_weight *output = model->global[GLOBAL_OUTPUT];
    size_t embedding = model->h.embedding, vocab = (size_t)output->rows;
    if (first > context->wanted || n > context->wanted - first)
        return gguf_fail(err, GGUF_ERR_ARGUMENT, GGUF_NO_OFFSET,
                         "logits of tokens [%zu, %zu) of %zu", first, first + n,
                         context->wanted);
    for (size_t done = 0; done < n; done += context->capacity) {
        size_t part = n - done < context->capacity ? n - done : context->capacity;
        float *out = logits + done * vocab;
        struct model_product product = {output, 0, out, vocab};
        model_multiply(context, context->hidden + (first + done) * embedding, part, &product,
                       1);
        op_add_bias(context, out, part, vocab, model->global[GLOBAL_OUTPUT_BIAS]);
        scale_logits(context, out, part * vocab);
    }
    return GGUF_OK;
}
