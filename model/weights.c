/* The tensors of a network: a table of names and shapes, checked against the file. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libgguf/checked.h"
#include "libgguf/error.h"
#include "model/internal.h"

/* ---- The table ------------------------------------------------------------------- */

/* Sizes by what they mean. */
enum dim {
    DIM_ONE, /* also: no further dimension */
    DIM_EMBD,
    DIM_VOCAB,
    DIM_CONTEXT,
    DIM_ROPE, /* pairs that are rotated */
    DIM_Q,
    DIM_K,
    DIM_V,
    DIM_QKV,
    DIM_KEY, /* of one head */
    DIM_OUT, /* what attention gives: all heads' values */
    DIM_HEADS,
    DIM_KV_HEADS,
    DIM_FF,
    DIM_UP, /* rows of ffn_up: twice ff where it holds the gate */
    DIM_EXPERT_FF,
    DIM_EXPERTS,
    DIM_SHARED_FF,
    DIM_Q_RANK,
    DIM_KV_RANK,
    DIM_KV_A,      /* rank and rotated part */
    DIM_KV_B,      /* all heads: unrotated keys and values */
    DIM_UNROTATED, /* of one head's key */
    DIM_VALUE,     /* of one head, after decompression */
    DIM_COUNT
};

/* Conditions besides the traits of the architecture, in the same mask. */
enum {
    COND_SPLIT = TRAIT_END,         /* attn_q, attn_k, attn_v */
    COND_FUSED = TRAIT_END << 1,    /* attn_qkv */
    COND_DENSE = TRAIT_END << 2,    /* a layer without experts */
    COND_EXPERTS = TRAIT_END << 3,  /* a layer with experts */
    COND_Q_RANK = TRAIT_END << 4,   /* MLA with compressed queries */
    COND_Q_FULL = TRAIT_END << 5,   /* MLA without */
    COND_ABSORBED = TRAIT_END << 6, /* MLA with attn_k_b and attn_v_b */
    COND_JOINED = TRAIT_END << 7,   /* MLA with attn_kv_b */
    COND_FACTORS = TRAIT_END << 8   /* may be there: factors of RoPE frequencies */
};
_Static_assert(TRAIT_EXPERT_BIAS < TRAIT_END && TRAIT_END <= 1 << 22,
               "traits and conditions fit a mask side by side");

struct tensor_row {
    int role;         /* enum model_global_role or enum model_layer_role */
    const char *name; /* after "blk.N." for tensors of a layer */
    unsigned needs;   /* there if all of these hold; optional if one of them is */
    enum dim ne[3];
};

static const struct tensor_row global_rows[] = {
    {GLOBAL_TOKEN_EMBD, "token_embd.weight", 0, {DIM_EMBD, DIM_VOCAB}},
    {GLOBAL_POSITION_EMBD, "position_embd.weight", TRAIT_POSITIONS, {DIM_EMBD, DIM_CONTEXT}},
    {GLOBAL_OUTPUT_NORM, "output_norm.weight", 0, {DIM_EMBD}},
    {GLOBAL_OUTPUT_NORM_BIAS, "output_norm.bias", TRAIT_NORM_BIAS, {DIM_EMBD}},
    {GLOBAL_OUTPUT, "output.weight", TRAIT_OUTPUT, {DIM_EMBD, DIM_VOCAB}},
    {GLOBAL_OUTPUT_BIAS, "output.bias", TRAIT_OUTPUT_BIAS, {DIM_VOCAB}},
    {GLOBAL_ROPE_FREQS, "rope_freqs.weight", COND_FACTORS, {DIM_ROPE}},
    {GLOBAL_ROPE_LONG, "rope_factors_long.weight", COND_FACTORS, {DIM_ROPE}},
    {GLOBAL_ROPE_SHORT, "rope_factors_short.weight", COND_FACTORS, {DIM_ROPE}},
};

static const struct tensor_row layer_rows[] = {
    {ROLE_ATTN_NORM, "attn_norm.weight", TRAIT_ATTN_NORM, {DIM_EMBD}},
    {ROLE_ATTN_NORM_BIAS, "attn_norm.bias", TRAIT_ATTN_NORM | TRAIT_NORM_BIAS, {DIM_EMBD}},
    {ROLE_ATTN_NORM_2, "attn_norm_2.weight", TRAIT_SECOND_NORM, {DIM_EMBD}},
    {ROLE_ATTN_NORM_2_BIAS, "attn_norm_2.bias", TRAIT_SECOND_NORM, {DIM_EMBD}},
    {ROLE_QKV, "attn_qkv.weight", COND_FUSED, {DIM_EMBD, DIM_QKV}},
    {ROLE_QKV_BIAS, "attn_qkv.bias", COND_FUSED | TRAIT_QKV_BIAS, {DIM_QKV}},
    {ROLE_Q, "attn_q.weight", COND_SPLIT, {DIM_EMBD, DIM_Q}},
    {ROLE_Q_BIAS, "attn_q.bias", COND_SPLIT | TRAIT_QKV_BIAS, {DIM_Q}},
    {ROLE_K, "attn_k.weight", COND_SPLIT, {DIM_EMBD, DIM_K}},
    {ROLE_K_BIAS, "attn_k.bias", COND_SPLIT | TRAIT_QKV_BIAS, {DIM_K}},
    {ROLE_V, "attn_v.weight", COND_SPLIT, {DIM_EMBD, DIM_V}},
    {ROLE_V_BIAS, "attn_v.bias", COND_SPLIT | TRAIT_QKV_BIAS, {DIM_V}},
    {ROLE_Q_NORM, "attn_q_norm.weight", TRAIT_QK_NORM_HEAD, {DIM_KEY}},
    {ROLE_K_NORM, "attn_k_norm.weight", TRAIT_QK_NORM_HEAD, {DIM_KEY}},
    {ROLE_Q_NORM, "attn_q_norm.weight", TRAIT_QK_NORM_FULL, {DIM_Q}},
    {ROLE_K_NORM, "attn_k_norm.weight", TRAIT_QK_NORM_FULL, {DIM_K}},
    {ROLE_Q_NORM, "attn_q_norm.weight", TRAIT_QK_NORM_EACH, {DIM_KEY, DIM_HEADS}},
    {ROLE_K_NORM, "attn_k_norm.weight", TRAIT_QK_NORM_EACH, {DIM_KEY, DIM_KV_HEADS}},
    {ROLE_Q_A, "attn_q_a.weight", TRAIT_MLA | COND_Q_RANK, {DIM_EMBD, DIM_Q_RANK}},
    {ROLE_Q_A_NORM, "attn_q_a_norm.weight", TRAIT_MLA | COND_Q_RANK, {DIM_Q_RANK}},
    {ROLE_Q_B, "attn_q_b.weight", TRAIT_MLA | COND_Q_RANK, {DIM_Q_RANK, DIM_Q}},
    {ROLE_Q, "attn_q.weight", TRAIT_MLA | COND_Q_FULL, {DIM_EMBD, DIM_Q}},
    {ROLE_KV_A, "attn_kv_a_mqa.weight", TRAIT_MLA, {DIM_EMBD, DIM_KV_A}},
    {ROLE_KV_A_NORM, "attn_kv_a_norm.weight", TRAIT_MLA, {DIM_KV_RANK}},
    {ROLE_KV_B, "attn_kv_b.weight", COND_JOINED, {DIM_KV_RANK, DIM_KV_B}},
    {ROLE_K_B, "attn_k_b.weight", COND_ABSORBED, {DIM_UNROTATED, DIM_KV_RANK, DIM_HEADS}},
    {ROLE_V_B, "attn_v_b.weight", COND_ABSORBED, {DIM_KV_RANK, DIM_VALUE, DIM_HEADS}},
    {ROLE_ATTN_OUT, "attn_output.weight", 0, {DIM_OUT, DIM_EMBD}},
    {ROLE_ATTN_OUT_BIAS, "attn_output.bias", TRAIT_OUT_BIAS, {DIM_EMBD}},
    {ROLE_ATTN_POST_NORM, "post_attention_norm.weight", TRAIT_POST_NORM, {DIM_EMBD}},
    {ROLE_FFN_NORM, "ffn_norm.weight", TRAIT_FFN_NORM, {DIM_EMBD}},
    {ROLE_FFN_NORM_BIAS, "ffn_norm.bias", TRAIT_FFN_NORM | TRAIT_NORM_BIAS, {DIM_EMBD}},
    {ROLE_GATE, "ffn_gate.weight", COND_DENSE | TRAIT_GATE, {DIM_EMBD, DIM_FF}},
    {ROLE_GATE_BIAS, "ffn_gate.bias", COND_DENSE | TRAIT_GATE | TRAIT_FFN_BIAS, {DIM_FF}},
    {ROLE_UP, "ffn_up.weight", COND_DENSE, {DIM_EMBD, DIM_UP}},
    {ROLE_UP_BIAS, "ffn_up.bias", COND_DENSE | TRAIT_FFN_BIAS, {DIM_UP}},
    {ROLE_DOWN, "ffn_down.weight", COND_DENSE, {DIM_FF, DIM_EMBD}},
    {ROLE_DOWN_BIAS, "ffn_down.bias", COND_DENSE | TRAIT_FFN_BIAS, {DIM_EMBD}},
    {ROLE_FFN_POST_NORM, "post_ffw_norm.weight", TRAIT_POST_NORM, {DIM_EMBD}},
    {ROLE_ROUTER, "ffn_gate_inp.weight", COND_EXPERTS, {DIM_EMBD, DIM_EXPERTS}},
    {ROLE_EXPERT_BIAS, "exp_probs_b.bias", COND_EXPERTS | TRAIT_EXPERT_BIAS, {DIM_EXPERTS}},
    {ROLE_GATE_EXPS,
     "ffn_gate_exps.weight",
     COND_EXPERTS,
     {DIM_EMBD, DIM_EXPERT_FF, DIM_EXPERTS}},
    {ROLE_UP_EXPS, "ffn_up_exps.weight", COND_EXPERTS, {DIM_EMBD, DIM_EXPERT_FF, DIM_EXPERTS}},
    {ROLE_DOWN_EXPS,
     "ffn_down_exps.weight",
     COND_EXPERTS,
     {DIM_EXPERT_FF, DIM_EMBD, DIM_EXPERTS}},
    {ROLE_SHARED_ROUTER,
     "ffn_gate_inp_shexp.weight",
     COND_EXPERTS | TRAIT_SHARED_EXPERT | TRAIT_SHARED_GATE,
     {DIM_EMBD}},
    {ROLE_GATE_SHARED,
     "ffn_gate_shexp.weight",
     COND_EXPERTS | TRAIT_SHARED_EXPERT,
     {DIM_EMBD, DIM_SHARED_FF}},
    {ROLE_UP_SHARED,
     "ffn_up_shexp.weight",
     COND_EXPERTS | TRAIT_SHARED_EXPERT,
     {DIM_EMBD, DIM_SHARED_FF}},
    {ROLE_DOWN_SHARED,
     "ffn_down_shexp.weight",
     COND_EXPERTS | TRAIT_SHARED_EXPERT,
     {DIM_SHARED_FF, DIM_EMBD}},
};

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* ---- Sizes of a layer ------------------------------------------------------------ */

static bool has_tensor(const struct model *model, uint32_t il, const char *name)
{
    char full[96];
    (void)snprintf(full, sizeof full, "blk.%u.%s", il, name);
    return gguf_tensor_find(model->gguf, full) != NULL;
}

/* Whether K and V of a layer are the compressed ones of multi-head latent attention: one
 * head, V being the first elements of K. */
static bool is_absorbed(const struct model *model, uint32_t il)
{
    return (model->arch->traits & TRAIT_MLA) && has_tensor(model, il, "attn_k_b.weight");
}

struct model_lengths model_latent_lengths(const struct model_hparams *h)
{
    return (struct model_lengths){h->key_length_mla ? h->key_length_mla : h->key_length,
                                  h->value_length_mla ? h->value_length_mla : h->value_length};
}

struct model_heads model_heads(const struct model *model, uint32_t il)
{
    const struct model_hparams *h = &model->h;
    const struct model_layer_hparams *l = &h->layer[il];
    struct model_heads heads = {l->heads, l->kv_heads, h->key_length, h->value_length};
    if (l->sliding) {
        heads.key = h->key_length_sliding;
        heads.value = h->value_length_sliding;
    }
    if (model->arch->traits & TRAIT_MLA) {
        struct model_lengths joined = model_latent_lengths(h);
        if (model->layers[il].w[ROLE_K_B]) /* absorbed */
            return (struct model_heads){l->heads, 1, h->kv_lora_rank + h->rope.dims,
                                        h->kv_lora_rank};
        return (struct model_heads){l->heads, l->heads, joined.key, joined.value};
    }
    return heads;
}

/* Rows of the shared experts' ffn_up in layer il; 0: none. */
static uint32_t shared_ff(const struct model *model, uint32_t il)
{
    const struct model_hparams *h = &model->h;
    unsigned traits = model->arch->traits | model->arch->optional;
    if (!(traits & TRAIT_SHARED_EXPERT))
        return 0;
    if (h->expert_shared_ff_length || h->experts_shared == 0)
        return traits & TRAIT_SHARED_GATE && !h->expert_shared_ff_length
                   ? h->layer[il].ff_length
                   : h->expert_shared_ff_length;
    uint64_t rows = 0;
    if (!checked_mul(h->experts_shared, h->layer[il].expert_ff_length, &rows) || rows > 1 << 26)
        return 0; /* no tensor has this many rows: the shape check names it */
    return (uint32_t)rows;
}

static void layer_sizes(const struct model *model, uint32_t il, uint64_t size[DIM_COUNT])
{
    const struct model_hparams *h = &model->h;
    const struct model_layer_hparams *l = &h->layer[il];
    struct model_heads heads = model_heads(model, il);
    struct model_lengths latent = model_latent_lengths(h);
    bool mla = model->arch->traits & TRAIT_MLA;
    uint64_t key = mla ? latent.key : heads.key, value = mla ? latent.value : heads.value;
    size[DIM_ONE] = 1;
    size[DIM_EMBD] = h->embedding;
    size[DIM_VOCAB] = h->vocab;
    size[DIM_CONTEXT] = h->context;
    size[DIM_ROPE] = h->rope.dims / 2;
    size[DIM_Q] = l->heads * key;
    size[DIM_K] = l->kv_heads * key;
    size[DIM_V] = l->kv_heads * value;
    size[DIM_QKV] = size[DIM_Q] + size[DIM_K] + size[DIM_V];
    size[DIM_KEY] = key;
    size[DIM_OUT] = l->heads * value;
    size[DIM_HEADS] = l->heads;
    size[DIM_KV_HEADS] = l->kv_heads;
    size[DIM_FF] = l->ff_length;
    size[DIM_UP] = l->ff_length * (model->arch->traits & TRAIT_FUSED_GATE ? 2u : 1u);
    size[DIM_EXPERT_FF] = l->expert_ff_length;
    size[DIM_EXPERTS] = h->experts;
    size[DIM_SHARED_FF] = shared_ff(model, il);
    size[DIM_Q_RANK] = h->q_lora_rank;
    size[DIM_KV_RANK] = h->kv_lora_rank;
    size[DIM_KV_A] = (uint64_t)h->kv_lora_rank + h->rope.dims;
    size[DIM_UNROTATED] = key > h->rope.dims ? key - h->rope.dims : 0;
    size[DIM_KV_B] = l->heads * (size[DIM_UNROTATED] + value);
    size[DIM_VALUE] = value;
}

/* Which conditions hold in a layer, besides the traits of the architecture. */
static unsigned layer_conditions(const struct model *model, uint32_t il)
{
    const struct model_hparams *h = &model->h;
    unsigned mask = 0;
    if (model->arch->traits & TRAIT_MLA) {
        mask |= h->q_lora_rank ? COND_Q_RANK : COND_Q_FULL;
        mask |= is_absorbed(model, il) ? COND_ABSORBED : COND_JOINED;
    } else {
        mask |= has_tensor(model, il, "attn_qkv.weight") ? COND_FUSED : COND_SPLIT;
    }
    bool experts = h->experts > 0 && il >= h->leading_dense;
    return mask | (experts ? COND_EXPERTS : COND_DENSE);
}

/* ---- Loading --------------------------------------------------------------------- */

struct loader {
    struct model *model;
    struct gguf_error *err;
    uint64_t size[DIM_COUNT];
    unsigned required, optional; /* traits and conditions */
};

/* "[64, 300]" */
static void shape_text(char *out, size_t size, const uint64_t *ne, uint32_t n)
{
    int at = snprintf(out, size, "[");
    for (uint32_t d = 0; d < n && at > 0 && (size_t)at < size; d++)
        at += snprintf(out + at, size - (size_t)at, d ? ", %llu" : "%llu",
                       (unsigned long long)ne[d]);
    if (at > 0 && (size_t)at < size)
        (void)snprintf(out + at, size - (size_t)at, "]");
}

static enum gguf_status check_shape(const struct loader *l, const struct tensor_row *row,
                                    const struct gguf_tensor *t)
{
    uint64_t want[3];
    uint32_t n = 0;
    bool same = t->ne[3] == 1;
    for (uint32_t d = 0; d < 3; d++) {
        want[d] = l->size[row->ne[d]];
        same = same && t->ne[d] == want[d];
        n = row->ne[d] != DIM_ONE ? d + 1 : n;
    }
    if (same)
        return GGUF_OK;
    char found[96], expected[96];
    shape_text(found, sizeof found, t->ne, t->n_dims);
    shape_text(expected, sizeof expected, want, n);
    return gguf_fail(l->err, GGUF_ERR_CORRUPT, t->offset,
                     "tensor '%s' has the shape %s, expected %s by the metadata",
                     gguf_text(t->name).text, found, expected);
}

/* What decoders ask of `blocks` (quant.h); general.alignment may be less. */
#define BLOCKS_ALIGNMENT 4

/* The bytes of a tensor: in the mapped file where they are little-endian and aligned, else a
 * copy. */
static enum gguf_status map_data(const struct loader *l, struct model_weight *w)
{
    const struct gguf *gguf = l->model->gguf;
    const struct gguf_file *file = gguf_file_at(gguf, w->tensor->file);
    const void *map = gguf_tensor_map(gguf, w->tensor);
    w->data = map;
    if (map && (uintptr_t)map % BLOCKS_ALIGNMENT == 0 && file && !file->big_endian)
        return GGUF_OK;
    w->owned = malloc(w->tensor->bytes ? w->tensor->bytes : 1);
    if (!w->owned)
        return gguf_fail_memory(l->err);
    w->data = w->owned;
    return gguf_tensor_read(gguf, w->tensor, 0, w->owned, w->tensor->bytes, l->err);
}

static enum gguf_status set_type(struct model_weight *w, const struct model *model,
                                 uint32_t type, struct gguf_error *err)
{
    const struct gguf_type_info *info = gguf_type_find(type);
    const struct quant_format *format = quant_format_at(type, model->cpu);
    if (!format || !format->decode || !gguf_type_bytes(type, w->columns, &w->row_bytes))
        return gguf_fail(err, GGUF_ERR_UNSUPPORTED, GGUF_NO_OFFSET,
                         "tensor '%s': no decoder for its type %s",
                         gguf_text(w->tensor->name).text, info ? info->name : "(unknown)");
    w->type = type;
    w->info = info;
    w->decode = format->decode;
    w->levels = quant_levels_at(type, model->cpu);
    return GGUF_OK;
}

void weight_row(const struct model_weight *weight, uint64_t row, float *out)
{
    weight->decode(weight->data + row * weight->row_bytes, out, weight->columns);
}

/* Norms, biases and factors are used as floats. */
static enum gguf_status decode_vector(const struct loader *l, struct model_weight *w)
{
    uint64_t rows = w->rows * w->experts;
    w->vector = malloc((size_t)(w->columns * rows) * sizeof(float));
    if (!w->vector)
        return gguf_fail_memory(l->err);
    for (uint64_t r = 0; r < rows; r++)
        weight_row(w, r, w->vector + r * w->columns);
    return GGUF_OK;
}

static enum gguf_status load_tensor(const struct loader *l, const struct tensor_row *row,
                                    const struct gguf_tensor *t, struct model_weight **out)
{
    enum gguf_status status = check_shape(l, row, t);
    if (status != GGUF_OK)
        return status;
    if (!t->readable)
        return gguf_fail(l->err, GGUF_ERR_UNSUPPORTED, t->offset,
                         "tensor '%s' has no readable data", gguf_text(t->name).text);
    struct model_weight *w = &l->model->weights[l->model->n_weights++];
    w->tensor = t;
    w->columns = t->ne[0];
    w->rows = t->ne[1];
    w->experts = t->ne[2];
    status = set_type(w, l->model, t->type, l->err);
    if (status == GGUF_OK)
        status = map_data(l, w);
    if (status == GGUF_OK && (row->ne[1] == DIM_ONE || (row->needs & TRAIT_QK_NORM_EACH)))
        status = decode_vector(l, w);
    *out = w;
    return status;
}

/* Loads what a row asks for into slots[row->role]. `prefix` is "" or "blk.N.". */
static enum gguf_status load_row(const struct loader *l, const struct tensor_row *row,
                                 const char *prefix, struct model_weight **slots)
{
    if (row->needs & ~(l->required | l->optional))
        return GGUF_OK;
    char name[96];
    (void)snprintf(name, sizeof name, "%s%s", prefix, row->name);
    const struct gguf_tensor *t = gguf_tensor_find(l->model->gguf, name);
    if (t && !slots[row->role])
        return load_tensor(l, row, t, &slots[row->role]);
    if (t || (row->needs & ~l->required))
        return GGUF_OK;
    return gguf_fail(l->err, GGUF_ERR_CORRUPT, GGUF_NO_OFFSET,
                     "tensor '%s' is missing, and a %s model needs it: the file is incomplete "
                     "or its metadata is of another model",
                     name, l->model->arch->name);
}

static enum gguf_status load_layer(struct loader *l, uint32_t il)
{
    const struct model *model = l->model;
    char prefix[24];
    (void)snprintf(prefix, sizeof prefix, "blk.%u.", il);
    layer_sizes(model, il, l->size);
    l->required = model->arch->traits | layer_conditions(model, il);
    l->optional = model->arch->optional & ~(unsigned)TRAIT_SHARED_EXPERT;
    if (l->size[DIM_SHARED_FF] == 0) /* the keys say whether there are any */
        l->required &= ~(unsigned)TRAIT_SHARED_EXPERT;
    else
        l->required |= model->arch->optional & TRAIT_SHARED_EXPERT;
    for (size_t i = 0; i < COUNT(layer_rows); i++) {
        enum gguf_status status = load_row(l, &layer_rows[i], prefix, l->model->layers[il].w);
        if (status != GGUF_OK)
            return status;
    }
    return GGUF_OK;
}

/* MLA: what the rules of hparams.c do not know. */
static enum gguf_status check_latent(const struct loader *l)
{
    const struct model_hparams *h = &l->model->h;
    uint32_t key = model_latent_lengths(h).key;
    if (!(l->model->arch->traits & TRAIT_MLA) || (h->kv_lora_rank > 0 && h->rope.dims < key))
        return GGUF_OK;
    return gguf_fail(l->err, GGUF_ERR_CORRUPT, GGUF_NO_OFFSET,
                     "metadata: kv_lora_rank is %u and %u of %u key elements are rotated; "
                     "expected a rank above 0 and fewer rotated elements",
                     h->kv_lora_rank, h->rope.dims, key);
}

enum gguf_status weights_load(struct model *model, struct gguf_error *err)
{
    struct loader l = {.model = model, .err = err};
    uint32_t layers = model_layers(model);
    model->weights =
        calloc(COUNT(global_rows) + layers * COUNT(layer_rows), sizeof model->weights[0]);
    model->layers = calloc(layers, sizeof model->layers[0]);
    if (!model->weights || !model->layers)
        return gguf_fail_memory(err);
    enum gguf_status status = check_latent(&l);
    layer_sizes(model, 0, l.size);
    l.required = model->arch->traits;
    l.optional = model->arch->optional | COND_FACTORS;
    for (size_t i = 0; i < COUNT(global_rows) && status == GGUF_OK; i++)
        status = load_row(&l, &global_rows[i], "", model->global);
    for (uint32_t il = 0; il < layers && status == GGUF_OK; il++)
        status = load_layer(&l, il);
    if (!model->global[GLOBAL_OUTPUT])
        model->global[GLOBAL_OUTPUT] = model->global[GLOBAL_TOKEN_EMBD];
    return status;
}

void weights_free(struct model *model)
{
    for (size_t i = 0; i < model->n_weights; i++) {
        free(model->weights[i].vector);
        free(model->weights[i].owned);
    }
    free(model->weights);
    free(model->layers);
}

/* ---- Replacing ------------------------------------------------------------------- */

static struct model_weight *find_weight(const struct model *model, const char *name)
{
    for (size_t i = 0; i < model->n_weights; i++)
        if (gguf_str_equal(model->weights[i].tensor->name, name))
            return &model->weights[i];
    return NULL;
}

/* Back to the bytes of the file. */
static enum gguf_status put_back(struct model *model, struct model_weight *w,
                                 struct gguf_error *err)
{
    w->data = w->owned ? w->owned : gguf_tensor_map(model->gguf, w->tensor);
    return set_type(w, model, w->tensor->type, err);
}

enum gguf_status model_replace(struct model *model, const struct model_replacement *with,
                               struct gguf_error *err)
{
    struct model_weight *w = find_weight(model, with->name);
    uint64_t bytes = 0;
    if (!w)
        return gguf_fail(err, GGUF_ERR_ARGUMENT, GGUF_NO_OFFSET,
                         "the network has no tensor '%s'", with->name);
    enum gguf_status status = GGUF_OK;
    if (!with->data) {
        status = put_back(model, w, err);
    } else {
        if (!gguf_type_bytes(with->type, w->tensor->elements, &bytes) || bytes != with->bytes)
            return gguf_fail(err, GGUF_ERR_ARGUMENT, GGUF_NO_OFFSET,
                             "%llu bytes for tensor '%s', expected %llu",
                             (unsigned long long)with->bytes, with->name,
                             (unsigned long long)bytes);
        status = set_type(w, model, with->type, err);
        if (status == GGUF_OK)
            w->data = with->data;
    }
    for (uint64_t r = 0; status == GGUF_OK && w->vector && r < w->rows * w->experts; r++)
        weight_row(w, r, w->vector + r * w->columns);
    return status;
}
