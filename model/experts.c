/* Feed-forward part with experts: each token goes through a few of them. */
#include <math.h>
#include <string.h>

#include "model/internal.h"

struct experts {
    struct model_context *ctx;
    const struct model_layer *layer;
    const float *in; /* [n][embedding] */
    uint32_t count, used;
    struct router {
        enum model_gating gating;
        uint32_t groups, groups_used; /* groups 0 or 1: all experts are looked at */
        bool norm;
        float scale;
    } router;
};

/* What the file says, where the architecture looks at it. */
static struct router find_router(const struct model *model)
{
    const struct model_hparams *h = &model->h;
    if (!model->arch->expert_keys)
        return (struct router){MODEL_GATING_SOFTMAX, 0, 0, model->arch->expert_norm, 1.0f};
    return (struct router){h->gating, h->expert_groups, h->expert_groups_used, h->expert_norm,
                           h->expert_scale != 0.0f ? h->expert_scale : 1.0f};
}

static void softmax(float *x, size_t n)
{
    float max = -INFINITY, sum = 0.0f;
    for (size_t i = 0; i < n; i++)
        max = x[i] > max ? x[i] : max;
    for (size_t i = 0; i < n; i++)
        sum += x[i] = expf(x[i] - max);
    for (size_t i = 0; i < n; i++)
        x[i] /= sum;
}

static void gate_scores(const struct experts *e, float *scores)
{
    switch (e->router.gating) {
    case MODEL_GATING_SIGMOID:
        for (uint32_t i = 0; i < e->count; i++)
            scores[i] = 1.0f / (1.0f + expf(-scores[i]));
        break;
    case MODEL_GATING_SOFTMAX_TOP:
        break;
    default:
        softmax(scores, e->count);
    }
}

/* What experts are selected by: scores with the bias of the file. */
static float selection(const struct experts *e, const float *scores, uint32_t i)
{
    const struct model_weight *bias = e->layer->w[ROLE_EXPERT_BIAS];
    return scores[i] + (bias ? bias->vector[i] : 0.0f);
}

static uint32_t group_size(const struct experts *e)
{
    uint32_t groups = e->router.groups;
    return groups > 1 && groups < e->count ? e->count / groups : 1;
}

/* Sum of the two best of a group of experts (DeepSeek-V3). */
static float group_score(const struct experts *e, const float *scores, uint32_t group)
{
    uint32_t size = group_size(e);
    float best = -INFINITY, second = -INFINITY;
    for (uint32_t i = group * size; i < (group + 1) * size; i++) {
        float s = selection(e, scores, i);
        if (s > best) {
            second = best;
            best = s;
        } else if (s > second) {
            second = s;
        }
    }
    return best + (size > 1 ? second : 0.0f);
}

/* Whether an expert's group is among those that are looked at: fewer than `used` groups
 * are better. */
static bool group_open(const struct experts *e, const float *scores, uint32_t expert)
{
    if (e->router.groups <= 1)
        return true;
    uint32_t own = expert / group_size(e), better = 0;
    float score = group_score(e, scores, own);
    for (uint32_t g = 0; g < e->router.groups; g++) {
        float other = group_score(e, scores, g);
        better += other > score || (other == score && g < own);
    }
    return better < e->router.groups_used;
}

/* The best experts, best first: chosen [used]. Ties go to the lower index. */
static void choose(const struct experts *e, const float *scores, uint32_t *chosen)
{
    for (uint32_t n = 0; n < e->used; n++) {
        uint32_t best = UINT32_MAX;
        for (uint32_t i = 0; i < e->count; i++) {
            bool taken = !group_open(e, scores, i);
            for (uint32_t c = 0; c < n && !taken; c++)
                taken = chosen[c] == i;
            if (!taken &&
                (best == UINT32_MAX || selection(e, scores, i) > selection(e, scores, best)))
                best = i;
        }
        chosen[n] = best == UINT32_MAX ? 0 : best;
    }
}

/* Scores of the chosen experts become weights, the others' 0. */
static void weigh(const struct experts *e, float *scores, const uint32_t *chosen)
{
    float weights[MODEL_MAX_EXPERTS_USED], sum = 0.0f;
    uint32_t used = e->used;
    for (uint32_t i = 0; i < used; i++)
        weights[i] = scores[chosen[i]];
    if (e->router.gating == MODEL_GATING_SOFTMAX_TOP)
        softmax(weights, used);
    for (uint32_t i = 0; i < used; i++)
        sum += weights[i];
    float scale = e->router.scale; /* the sum not below the least normal F16 */
    scale /= e->router.norm ? fmaxf(sum, 6.103515625e-5f) : 1.0f;
    memset(scores, 0, e->count * sizeof scores[0]);
    for (uint32_t i = 0; i < used; i++)
        scores[chosen[i]] = weights[i] * scale;
}

/* ctx->router [n][count]: the weight of each expert for each token. */
static void route(const struct experts *e)
{
    struct model_context *ctx = e->ctx;
    struct model_product product = {e->layer->w[ROLE_ROUTER], 0, ctx->router, e->count};
    model_multiply(ctx, e->in, ctx->n, &product, 1);
#pragma omp parallel for num_threads(ctx->model->threads) schedule(static)
    for (size_t t = 0; t < ctx->n; t++) {
        float *scores = ctx->router + t * e->count;
        gate_scores(e, scores);
        choose(e, scores, ctx->chosen + t * e->used);
        weigh(e, scores, ctx->chosen + t * e->used);
    }
}

static bool uses(const struct experts *e, size_t token, uint32_t expert)
{
    const uint32_t *chosen = e->ctx->chosen + token * e->used;
    for (uint32_t i = 0; i < e->used; i++)
        if (chosen[i] == expert)
            return true;
    return false;
}

/* down(act(gate x) * up x) for n rows of x, with the roles of the three tensors in order. */
static void gated_network(struct model_context *ctx, const struct model_layer *layer,
                          enum model_layer_role gate, uint32_t expert,
                          const struct model_rows *rows)
{
    size_t ff = (size_t)layer->w[gate]->rows;
    const struct model_product in[] = {{layer->w[gate], expert, ctx->gate, ff},
                                       {layer->w[gate + 1], expert, ctx->up, ff}};
    const struct model_product out = {layer->w[gate + 2], expert, rows->y, rows->stride};
    struct model_gated gated = {ctx->gate, ctx->up, rows->rows, ff, ff, ff};
    model_multiply(ctx, rows->x, rows->rows, in, 2);
    op_activate(ctx, &gated);
    model_multiply(ctx, ctx->gate, rows->rows, &out, 1);
}

/* Adds what one expert gives for the tokens that chose it. */
static void run_expert(const struct experts *e, uint32_t expert)
{
    struct model_context *ctx = e->ctx;
    size_t embedding = ctx->model->h.embedding, rows = 0;
    for (size_t t = 0; t < ctx->n; t++)
        if (uses(e, t, expert))
            memcpy(ctx->gathered + rows++ * embedding, e->in + t * embedding,
                   embedding * sizeof(float));
    if (rows == 0)
        return;
    struct model_rows io = {ctx->gathered, ctx->expert_out, rows, embedding, embedding};
    gated_network(ctx, e->layer, ROLE_GATE_EXPS, expert, &io);
    const float *from = ctx->expert_out;
    for (size_t t = 0; t < ctx->n; t++) {
        if (!uses(e, t, expert))
            continue;
        float weight = ctx->router[t * e->count + expert];
        for (size_t i = 0; i < embedding; i++)
            ctx->added[t * embedding + i] += weight * from[i];
        from += embedding;
    }
}

/* Adds what the experts give that every token goes through. */
static void run_shared(const struct experts *e)
{
    struct model_context *ctx = e->ctx;
    size_t embedding = ctx->model->h.embedding;
    struct model_rows io = {e->in, ctx->expert_out, ctx->n, embedding, embedding};
    gated_network(ctx, e->layer, ROLE_GATE_SHARED, 0, &io);
    if (e->layer->w[ROLE_SHARED_ROUTER]) {
        struct model_product product = {e->layer->w[ROLE_SHARED_ROUTER], 0, ctx->gate, 1};
        model_multiply(ctx, e->in, ctx->n, &product, 1);
        for (size_t t = 0; t < ctx->n; t++)
            for (size_t i = 0; i < embedding; i++)
                ctx->expert_out[t * embedding + i] /= 1.0f + expf(-ctx->gate[t]);
    }
    op_add(ctx, ctx->added, ctx->expert_out, ctx->n * embedding, 1.0f);
}

void step_experts(struct model_context *ctx, uint32_t il, const float *in)
{
    struct experts e = {ctx,
                        &ctx->model->layers[il],
                        in,
                        ctx->model->h.experts,
                        ctx->model->h.layer[il].experts_used,
                        find_router(ctx->model)};
    memset(ctx->added, 0, ctx->n * ctx->model->h.embedding * sizeof(float));
    route(&e);
    for (uint32_t expert = 0; expert < e.count; expert++)
        run_expert(&e, expert);
    if (e.layer->w[ROLE_GATE_SHARED])
        run_shared(&e);
}
