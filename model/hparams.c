/* Hyperparameters: a table of the keys with the range of each, then the rules between them. */
#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "libgguf/error.h"
#include "model/arch.h"
#include "model/hparams.h"

struct reader {
    struct model_hparams *h;
    const struct gguf *gguf;
    const struct model_arch *arch; /* NULL: no forward pass, keys may be missing */
    struct gguf_error *err;
};

/* ---- One key --------------------------------------------------------------------- */

/* A number: a field of struct model_hparams. */
struct u32_key {
    const char *suffix;
    size_t field;
    uint32_t min, max;
    bool required; /* by architectures that have a forward pass */
};
#define U32(suffix, field, min, max, required)                                                 \
    {                                                                                          \
        suffix, offsetof(struct model_hparams, field), min, max, required                      \
    }

static const struct u32_key u32_keys[] = {
    U32("block_count", layers, 1, MODEL_MAX_LAYERS, true),
    U32("nextn_predict_layers", nextn_layers, 0, MODEL_MAX_LAYERS, false),
    U32("embedding_length", embedding, 1, 1 << 20, true),
    U32("vocab_size", vocab, 1, 1 << 24, false),
    U32("context_length", context, 1, 1u << 30, true),
    U32("attention.key_length", key_length, 1, 1 << 16, false),
    U32("attention.value_length", value_length, 1, 1 << 16, false),
    U32("attention.key_length_swa", key_length_sliding, 1, 1 << 16, false),
    U32("attention.value_length_swa", value_length_sliding, 1, 1 << 16, false),
    U32("attention.sliding_window", window, 0, 1u << 30, false),
    U32("rope.dimension_count", rope.dims, 0, 1 << 16, false),
    U32("rope.dimension_count_swa", rope.dims_sliding, 0, 1 << 16, false),
    U32("rope.scaling.original_context_length", rope.original_context, 0, 1u << 30, false),
    U32("expert_count", experts, 0, 4096, false),
    U32("expert_shared_count", experts_shared, 0, 4096, false),
    U32("expert_shared_feed_forward_length", expert_shared_ff_length, 0, 1 << 24, false),
    U32("expert_group_count", expert_groups, 0, 4096, false),
    U32("expert_group_used_count", expert_groups_used, 0, 4096, false),
    U32("leading_dense_block_count", leading_dense, 0, MODEL_MAX_LAYERS, false),
    U32("expert_gating_func", gating, 0, 16, false),
    U32("attention.q_lora_rank", q_lora_rank, 0, 1 << 20, false),
    U32("attention.kv_lora_rank", kv_lora_rank, 0, 1 << 20, false),
    U32("attention.key_length_mla", key_length_mla, 0, 1 << 16, false),
    U32("attention.value_length_mla", value_length_mla, 0, 1 << 16, false),
    U32("ssm.conv_kernel", ssm_conv_kernel, 0, 1 << 16, false),
    U32("ssm.inner_size", ssm_inner_size, 0, 1 << 24, false),
    U32("ssm.state_size", ssm_state_size, 0, 1 << 20, false),
    U32("ssm.group_count", ssm_group_count, 0, 1 << 16, false),
    U32("wkv.head_size", wkv_head_size, 0, 1 << 16, false),
    U32("token_shift_count", token_shift_count, 0, 1 << 10, false),
    U32("shortconv.l_cache", shortconv_cache, 0, 1 << 16, false),
    U32("kda.head_dim", kda_head_dim, 0, 1 << 16, false),
};

struct f32_key {
    const char *suffix;
    size_t field;
    float min, max;
};
#define F32(suffix, field, min, max)                                                           \
    {                                                                                          \
        suffix, offsetof(struct model_hparams, field), min, max                                \
    }

static const struct f32_key f32_keys[] = {
    F32("attention.layer_norm_epsilon", norm_eps, 1e-30f, 1.0f),
    F32("attention.layer_norm_rms_epsilon", norm_rms_eps, 1e-30f, 1.0f),
    F32("rope.freq_base", rope.base, 1.0f, 1e20f),
    F32("rope.freq_base_swa", rope.base_sliding, 1.0f, 1e20f),
    F32("rope.scale_linear", rope.factor, 0.0f, 1e9f),
    F32("rope.scaling.factor", rope.factor, 0.0f, 1e9f),
    F32("rope.scaling.attn_factor", rope.attn_factor, 1e-9f, 1e9f),
    F32("rope.scaling.yarn_log_multiplier", rope.log_multiplier, -1e9f, 1e9f),
    F32("rope.scaling.yarn_ext_factor", rope.ext_factor, -1.0f, 1e9f),
    F32("rope.scaling.yarn_attn_factor", rope.attn_factor, 1e-9f, 1e9f),
    F32("rope.scaling.yarn_beta_fast", rope.beta_fast, 1e-9f, 1e9f),
    F32("rope.scaling.yarn_beta_slow", rope.beta_slow, 1e-9f, 1e9f),
    F32("expert_weights_scale", expert_scale, -1e9f, 1e9f),
    F32("embedding_scale", embedding_scale, -1e9f, 1e9f),
    F32("residual_scale", residual_scale, -1e9f, 1e9f),
    F32("attention.scale", attention_scale, -1e9f, 1e9f),
    F32("logit_scale", logit_scale, -1e9f, 1e9f),
    F32("attn_logit_softcapping", attn_softcap, 0.0f, 1e9f),
    F32("final_logit_softcapping", final_softcap, 0.0f, 1e9f),
};

struct bool_key {
    const char *suffix;
    size_t field;
};
static const struct bool_key bool_keys[] = {
    {"expert_weights_norm", offsetof(struct model_hparams, expert_norm)},
    {"use_parallel_residual", offsetof(struct model_hparams, parallel_residual)},
};

/* A number for all layers, or an array with one for each. */
struct layer_key {
    const char *suffix;
    size_t field; /* of struct model_layer_hparams */
    uint32_t max;
};
static const struct layer_key layer_keys[] = {
    {"attention.head_count", offsetof(struct model_layer_hparams, heads), 1 << 16},
    {"attention.head_count_kv", offsetof(struct model_layer_hparams, kv_heads), 1 << 16},
    {"feed_forward_length", offsetof(struct model_layer_hparams, ff_length), 1 << 24},
    {"expert_feed_forward_length", offsetof(struct model_layer_hparams, expert_ff_length),
     1 << 24},
    {"expert_used_count", offsetof(struct model_layer_hparams, experts_used),
     MODEL_MAX_EXPERTS_USED},
};

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static enum gguf_status wrong(const struct reader *r, const char *suffix, const char *found,
                              const char *expected)
{
    return gguf_fail(r->err, GGUF_ERR_CORRUPT, GGUF_NO_OFFSET,
                     "metadata key '%s.%s' is %s, expected %s",
                     gguf_text(r->h->architecture).text, suffix, found, expected);
}

static enum gguf_status missing(const struct reader *r, const char *suffix)
{
    return gguf_fail(r->err, GGUF_ERR_CORRUPT, GGUF_NO_OFFSET,
                     "metadata key '%s.%s' is missing, and a %s model needs it",
                     gguf_text(r->h->architecture).text, suffix,
                     gguf_text(r->h->architecture).text);
}

/* A number that is no number of the right kind, for wrong(). */
static struct gguf_text describe(struct gguf_value value)
{
    struct gguf_text text;
    int64_t i;
    double d;
    if (gguf_value_i64(value, &i))
        (void)snprintf(text.text, sizeof text.text, "%lld", (long long)i);
    else if (gguf_value_f64(value, &d))
        (void)snprintf(text.text, sizeof text.text, "%g", d);
    else if (value.type == GGUF_VALUE_ARRAY)
        (void)snprintf(text.text, sizeof text.text, "an array of %llu values",
                       (unsigned long long)value.count);
    else
        (void)snprintf(text.text, sizeof text.text, "a value of type %s",
                       gguf_value_type_name((enum gguf_value_type)value.type));
    return text;
}

/* `value` as a number of [min, max]. */
static enum gguf_status take_u32(const struct reader *r, const struct u32_key *key,
                                 struct gguf_value value, uint32_t *out)
{
    uint64_t number;
    if (gguf_value_u64(value, &number) && number >= key->min && number <= key->max) {
        *out = (uint32_t)number;
        return GGUF_OK;
    }
    char expected[80];
    (void)snprintf(expected, sizeof expected, "a number from %u to %u", key->min, key->max);
    return wrong(r, key->suffix, describe(value).text, expected);
}

static enum gguf_status read_u32(const struct reader *r, const struct u32_key *key)
{
    const struct gguf_kv *kv = gguf_kv_find_arch(r->gguf, key->suffix);
    if (!kv)
        return key->required && r->arch ? missing(r, key->suffix) : GGUF_OK;
    return take_u32(r, key, kv->value, (uint32_t *)(void *)((char *)r->h + key->field));
}

static enum gguf_status read_f32(const struct reader *r, const struct f32_key *key)
{
    const struct gguf_kv *kv = gguf_kv_find_arch(r->gguf, key->suffix);
    double number;
    if (!kv)
        return GGUF_OK;
    if (!gguf_value_f64(kv->value, &number) ||
        !(number >= (double)key->min && number <= (double)key->max)) {
        char expected[80];
        (void)snprintf(expected, sizeof expected, "a number from %g to %g", (double)key->min,
                       (double)key->max);
        return wrong(r, key->suffix, describe(kv->value).text, expected);
    }
    *(float *)(void *)((char *)r->h + key->field) = (float)number;
    return GGUF_OK;
}

static enum gguf_status read_bool(const struct reader *r, const struct bool_key *key)
{
    const struct gguf_kv *kv = gguf_kv_find_arch(r->gguf, key->suffix);
    if (kv && !gguf_value_bool(kv->value, (bool *)(void *)((char *)r->h + key->field)))
        return wrong(r, key->suffix, describe(kv->value).text, "true or false");
    return GGUF_OK;
}

static uint32_t *layer_field(struct model_hparams *h, uint32_t layer, size_t field)
{
    return (uint32_t *)(void *)((char *)&h->layer[layer] + field);
}

/* Zeros are allowed in arrays: layers without that part. */
static enum gguf_status read_layer_array(const struct reader *r, const struct layer_key *key,
                                         struct gguf_value array)
{
    if (array.count != r->h->layers) {
        char expected[80];
        (void)snprintf(expected, sizeof expected, "a number or an array of %u, one a layer",
                       r->h->layers);
        return wrong(r, key->suffix, describe(array).text, expected);
    }
    struct u32_key each = {key->suffix, 0, 0, key->max, false};
    struct gguf_iter it = gguf_items(array);
    uint32_t il = 0;
    for (struct gguf_value v; gguf_next(&it, &v); il++) {
        enum gguf_status status = take_u32(r, &each, v, layer_field(r->h, il, key->field));
        if (status != GGUF_OK)
            return status;
    }
    return GGUF_OK;
}

static enum gguf_status read_layers(const struct reader *r, const struct layer_key *key)
{
    const struct gguf_kv *kv = gguf_kv_find_arch(r->gguf, key->suffix);
    if (!kv)
        return GGUF_OK;
    if (kv->value.type == GGUF_VALUE_ARRAY)
        return read_layer_array(r, key, kv->value);
    struct u32_key all = {key->suffix, 0, 0, key->max, false};
    uint32_t number = 0;
    enum gguf_status status = take_u32(r, &all, kv->value, &number);
    for (uint32_t il = 0; il < r->h->layers; il++)
        *layer_field(r->h, il, key->field) = number;
    return status;
}

static enum gguf_status read_keys(const struct reader *r)
{
    enum gguf_status status = GGUF_OK;
    for (size_t i = 0; i < COUNT(u32_keys) && status == GGUF_OK; i++)
        status = read_u32(r, &u32_keys[i]);
    for (size_t i = 0; i < COUNT(f32_keys) && status == GGUF_OK; i++)
        status = read_f32(r, &f32_keys[i]);
    for (size_t i = 0; i < COUNT(bool_keys) && status == GGUF_OK; i++)
        status = read_bool(r, &bool_keys[i]);
    for (size_t i = 0; i < COUNT(layer_keys) && status == GGUF_OK; i++)
        status = read_layers(r, &layer_keys[i]);
    return status;
}

/* ---- Rules between keys ---------------------------------------------------------- */

static void set_defaults(struct model_hparams *h)
{
    memset(h, 0, sizeof *h);
    h->rope.base = 10000.0f;
    h->rope.attn_factor = 1.0f;
    h->rope.ext_factor = -1.0f;
    h->rope.beta_fast = 32.0f;
    h->rope.beta_slow = 1.0f;
    h->expert_scale = 1.0f;
    h->parallel_residual = true;
}

/* Some layers have to be left for evaluation. */
static enum gguf_status check_layers(const struct reader *r)
{
    const struct model_hparams *h = r->h;
    if (h->nextn_layers > 0 && h->nextn_layers >= h->layers)
        return wrong(r, "nextn_predict_layers", "not below block_count", "fewer layers");
    return GGUF_OK;
}

/* The tokenizer's list decides, as the rows of the embedding do not exist without it. */
static enum gguf_status find_vocab(const struct reader *r)
{
    struct gguf_value tokens;
    const struct gguf_tensor *t = gguf_tensor_find(r->gguf, "token_embd.weight");
    if (gguf_get_array(r->gguf, "tokenizer.ggml.tokens", GGUF_VALUE_STRING, &tokens) &&
        tokens.count > 0 && tokens.count <= 1 << 24)
        r->h->vocab = (uint32_t)tokens.count;
    else if (r->h->vocab == 0 && t && t->ne[1] <= 1 << 24)
        r->h->vocab = (uint32_t)t->ne[1];
    return GGUF_OK;
}

/* Whether layers may do without attention. */
static bool is_hybrid(const struct model_hparams *h)
{
    return h->ssm_inner_size || h->wkv_head_size || h->shortconv_cache || h->kda_head_dim;
}

static enum gguf_status check_layer(const struct reader *r, uint32_t il)
{
    const struct model_layer_hparams *l = &r->h->layer[il];
    char found[80], expected[80];
    (void)snprintf(found, sizeof found, "%u in layer %u", l->kv_heads, il);
    (void)snprintf(expected, sizeof expected, "a divisor of the %u heads", l->heads);
    if (l->kv_heads > 0 && l->heads % l->kv_heads != 0)
        return wrong(r, "attention.head_count_kv", found, expected);
    if (r->arch && l->kv_heads == 0)
        return wrong(r, "attention.head_count_kv", found, expected);
    if (l->experts_used > r->h->experts || (r->h->experts > 0 && l->experts_used == 0)) {
        (void)snprintf(found, sizeof found, "%u in layer %u", l->experts_used, il);
        (void)snprintf(expected, sizeof expected, "1 to %u (expert_count)", r->h->experts);
        return wrong(r, "expert_used_count", found, expected);
    }
    return GGUF_OK;
}

static enum gguf_status check_heads(const struct reader *r)
{
    struct model_hparams *h = r->h;
    const struct gguf_kv *heads = gguf_kv_find_arch(r->gguf, "attention.head_count");
    if (!heads && r->arch)
        return missing(r, "attention.head_count");
    if (!gguf_kv_find_arch(r->gguf, "attention.head_count_kv"))
        for (uint32_t il = 0; il < h->layers; il++)
            h->layer[il].kv_heads = h->layer[il].heads;
    uint32_t most = 0;
    for (uint32_t il = 0; il < h->layers; il++) {
        most = h->layer[il].heads > most ? h->layer[il].heads : most;
        if (r->arch && h->layer[il].heads == 0)
            return wrong(r, "attention.head_count", "0 in a layer", "at least 1 in each");
    }
    if (heads && h->layers > 0 && most == 0 && !is_hybrid(h))
        return wrong(r, "attention.head_count", "0", "at least 1");
    for (uint32_t il = 0; il < h->layers; il++) {
        enum gguf_status status = check_layer(r, il);
        if (status != GGUF_OK)
            return status;
    }
    return GGUF_OK;
}

/* What is rotated lies within a head, in pairs. */
static enum gguf_status check_rotated(const struct reader *r)
{
    const struct model_hparams *h = r->h;
    char found[40];
    (void)snprintf(found, sizeof found, "%u", h->rope.dims);
    if (h->rope.dims % 2 != 0 || h->rope.dims > h->key_length)
        return wrong(r, "rope.dimension_count", found, "an even number up to key_length");
    (void)snprintf(found, sizeof found, "%u", h->rope.dims_sliding);
    if (h->rope.dims_sliding % 2 != 0 || h->rope.dims_sliding > h->key_length_sliding)
        return wrong(r, "rope.dimension_count_swa", found,
                     "an even number up to key_length_swa");
    return GGUF_OK;
}

/* Lengths of a head, and how much of it is rotated: embedding / heads where not given. */
static enum gguf_status find_lengths(const struct reader *r)
{
    struct model_hparams *h = r->h;
    uint32_t heads = 0;
    for (uint32_t il = 0; il < h->layers && heads == 0; il++)
        heads = h->layer[il].heads;
    if (heads > 0 && (!h->key_length || !h->value_length) && h->embedding < heads)
        return wrong(r, "attention.head_count", "more than embedding_length", "fewer heads");
    uint32_t length = heads > 0 ? h->embedding / heads : 0;
    h->key_length = h->key_length ? h->key_length : length;
    h->value_length = h->value_length ? h->value_length : length;
    if (!h->key_length_sliding)
        h->key_length_sliding = h->key_length;
    if (!h->value_length_sliding)
        h->value_length_sliding = h->value_length;
    if (!gguf_kv_find_arch(r->gguf, "rope.dimension_count"))
        h->rope.dims = h->key_length;
    if (!gguf_kv_find_arch(r->gguf, "rope.dimension_count_swa"))
        h->rope.dims_sliding = h->rope.dims;
    return r->arch ? check_rotated(r) : GGUF_OK;
}

static enum gguf_status find_rope(const struct reader *r)
{
    static const struct {
        const char *name;
        enum model_rope_scaling scaling;
    } names[] = {{"none", MODEL_ROPE_SCALING_NONE},
                 {"linear", MODEL_ROPE_SCALING_LINEAR},
                 {"yarn", MODEL_ROPE_SCALING_YARN},
                 {"longrope", MODEL_ROPE_SCALING_LONGROPE}};
    struct model_rope_hparams *rope = &r->h->rope;
    const struct gguf_kv *kv = gguf_kv_find_arch(r->gguf, "rope.scaling.type");
    struct gguf_str name = {"linear", 6};
    if (kv && !gguf_value_string(kv->value, &name))
        return wrong(r, "rope.scaling.type", describe(kv->value).text, "a string");
    size_t i = 0;
    while (i < COUNT(names) && !gguf_str_equal(name, names[i].name))
        i++;
    if (i == COUNT(names) && r->arch)
        return wrong(r, "rope.scaling.type", gguf_text(name).text,
                     "none, linear, yarn or longrope");
    rope->scaling = i < COUNT(names) ? names[i].scaling : MODEL_ROPE_SCALING_NONE;
    if (rope->factor == 0.0f || rope->scaling == MODEL_ROPE_SCALING_NONE)
        rope->factor = 1.0f;
    if (rope->scaling == MODEL_ROPE_SCALING_LINEAR && rope->factor == 1.0f)
        rope->scaling = MODEL_ROPE_SCALING_NONE;
    if (rope->original_context == 0)
        rope->original_context = r->h->context;
    return GGUF_OK;
}

/* Marks layer il as sliding by a rule "every nth layer is full". */
static bool rule_says_sliding(const struct model_window_rule *rule, uint32_t period,
                              uint32_t il)
{
    if (period == 0)
        return true;
    return rule->full_first ? il % period != 0 : il % period != period - 1;
}

static enum gguf_status find_sliding(const struct reader *r)
{
    struct model_hparams *h = r->h;
    const struct model_window_rule *rule = model_window_rule(h->architecture);
    const struct gguf_kv *pattern =
        gguf_kv_find_arch(r->gguf, "attention.sliding_window_pattern");
    bool list = pattern && pattern->value.type == GGUF_VALUE_ARRAY;
    if (rule && !gguf_kv_find_arch(r->gguf, "attention.sliding_window"))
        h->window = rule->window;
    if (h->window == 0 || (!rule && !list)) {
        h->window = 0; /* engines do not look at the key in other architectures */
        return GGUF_OK;
    }
    uint32_t period = rule ? rule->period : 0;
    struct u32_key key = {"attention.sliding_window_pattern", 0, 0, MODEL_MAX_LAYERS, false};
    if (pattern && !list) {
        enum gguf_status status = take_u32(r, &key, pattern->value, &period);
        if (status != GGUF_OK)
            return status;
    }
    for (uint32_t il = 0; !list && il < h->layers - h->nextn_layers; il++)
        h->layer[il].sliding = rule_says_sliding(rule, period, il);
    struct gguf_iter it = list ? gguf_items(pattern->value) : (struct gguf_iter){0};
    uint32_t il = 0;
    for (struct gguf_value v; list && il < h->layers && gguf_next(&it, &v); il++) {
        uint32_t flag = 0;
        enum gguf_status status = take_u32(r, &key, v, &flag);
        if (status != GGUF_OK)
            return status;
        h->layer[il].sliding = flag != 0;
    }
    return GGUF_OK;
}

/* An optional number that is no field of the result. */
static enum gguf_status read_extra(const struct reader *r, const char *suffix, uint32_t *out)
{
    const struct u32_key key = {suffix, 0, 0, MODEL_MAX_LAYERS, false};
    const struct gguf_kv *kv = gguf_kv_find_arch(r->gguf, suffix);
    return kv ? take_u32(r, &key, kv->value, out) : GGUF_OK;
}

/* Which layers keep a state in place of a cache, and which share a cache. */
static enum gguf_status find_recurrent(const struct reader *r)
{
    static const struct model_hybrid_rule none = {"", 0, false};
    struct model_hparams *h = r->h;
    const struct model_hybrid_rule *rule = model_hybrid_rule(h->architecture);
    rule = rule ? rule : &none;
    uint32_t interval = rule->interval, shared = 0;
    enum gguf_status status = read_extra(r, "full_attention_interval", &interval);
    if (status == GGUF_OK)
        status = read_extra(r, "attention.shared_kv_layers", &shared);
    for (uint32_t il = 0; il < h->layers; il++) {
        struct model_layer_hparams *l = &h->layer[il];
        bool linear = is_hybrid(h) && interval > 0 && (il + 1) % interval != 0;
        l->recurrent = is_hybrid(h) && (linear || rule->both || l->kv_heads == 0);
        l->own_cache = l->kv_heads > 0 && !linear && il + shared < h->layers;
    }
    return status;
}

/* Rows of ffn_up, or of that of the experts. */
static enum gguf_status check_feed_forward(const struct reader *r)
{
    struct model_hparams *h = r->h;
    for (uint32_t il = 0; il < h->layers; il++) {
        struct model_layer_hparams *l = &h->layer[il];
        bool dense = h->experts == 0 || il < h->leading_dense;
        if (h->experts > 0 && l->expert_ff_length == 0)
            l->expert_ff_length = l->ff_length;
        if (dense && l->ff_length == 0)
            return wrong(r, "feed_forward_length", "0 or missing", "at least 1");
        if (!dense && l->expert_ff_length == 0)
            return wrong(r, "expert_feed_forward_length", "0 or missing", "at least 1");
    }
    return GGUF_OK;
}

static enum gguf_status check_model(const struct reader *r)
{
    const struct model_hparams *h = r->h;
    if (h->expert_groups > 1 &&
        (h->experts % h->expert_groups != 0 || h->expert_groups_used == 0 ||
         h->expert_groups_used > h->expert_groups))
        return wrong(r, "expert_group_count", "no division of the experts",
                     "groups of equal size, of which some are used");
    if (!r->arch)
        return GGUF_OK;
    const char *eps = r->arch->norm == MODEL_NORM_RMS ? "attention.layer_norm_rms_epsilon"
                                                      : "attention.layer_norm_epsilon";
    if ((r->arch->norm == MODEL_NORM_RMS ? h->norm_rms_eps : h->norm_eps) == 0.0f)
        return missing(r, eps);
    if (h->vocab == 0)
        return missing(r, "vocab_size");
    return check_feed_forward(r);
}

/* `lenient`: as for an architecture of which nothing is required. */
static enum gguf_status read_hparams(struct model_hparams *out, const struct gguf *gguf,
                                     bool lenient, struct gguf_error *err)
{
    static enum gguf_status (*const steps[])(const struct reader *) = {
        read_keys, check_layers, find_vocab,     check_heads, find_lengths,
        find_rope, find_sliding, find_recurrent, check_model};
    set_defaults(out);
    out->architecture = gguf_architecture(gguf);
    if (out->architecture.size == 0)
        return gguf_fail(err, GGUF_ERR_CORRUPT, GGUF_NO_OFFSET,
                         "metadata key 'general.architecture' is missing or empty: the file "
                         "does not say what network it holds");
    const struct model_arch *arch = model_arch_find(out->architecture);
    struct reader r = {out, gguf, lenient ? NULL : arch, err};
    out->has_forward = arch != NULL;
    for (size_t i = 0; i < COUNT(steps); i++) {
        enum gguf_status status = steps[i](&r);
        if (status != GGUF_OK)
            return status;
    }
    return GGUF_OK;
}

enum gguf_status model_hparams_read(struct model_hparams *out, const struct gguf *gguf,
                                    struct gguf_error *err)
{
    return read_hparams(out, gguf, false, err);
}

enum gguf_status model_hparams_read_shape(struct model_hparams *out, const struct gguf *gguf,
                                          struct gguf_error *err)
{
    return read_hparams(out, gguf, true, err);
}
