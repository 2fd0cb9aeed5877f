/*
 * Opening and evaluating whole models whose keys say anything, with tensors of the shapes that
 * follow from them (tests/unit/tiny_model.h). An input is
 *
 *     architecture   1 byte, its position in the table
 *     optional       2 bytes, a bit for each tensor of `optional`
 *     settings       1 byte
 *     keys           [n] x 3 bytes: position in `keys`, value
 */
#include "tests/fuzz/fuzz.h"
#include "tests/unit/tiny_model.h"

#include <math.h>

#define ABSENT UINT32_MAX

/* With the value where an input does not say another. */
static const struct tiny_key keys[] = {
    {"block_count", TINY_U32, 2},
    {"embedding_length", TINY_U32, 8},
    {"context_length", TINY_U32, 16},
    {"vocab_size", TINY_U32, 12},
    {"feed_forward_length", TINY_U32, 8},
    {"attention.head_count", TINY_U32, 2},
    {"attention.layer_norm_epsilon", TINY_F32, 1},
    {"attention.layer_norm_rms_epsilon", TINY_F32, 1},
    {"attention.kv_lora_rank", TINY_U32, 4},
    {"attention.key_length", TINY_U32, ABSENT},
    {"attention.value_length", TINY_U32, ABSENT},
    {"attention.head_count_kv", TINY_U32, ABSENT},
    {"attention.head_count", TINY_LAYERS, ABSENT},
    {"attention.head_count_kv", TINY_LAYERS, ABSENT},
    {"feed_forward_length", TINY_LAYERS, ABSENT},
    {"expert_feed_forward_length", TINY_LAYERS, ABSENT},
    {"expert_used_count", TINY_LAYERS, ABSENT},
    {"attention.sliding_window_pattern", TINY_LAYERS, ABSENT},
    {"attention.sliding_window_pattern", TINY_U32, ABSENT},
    {"attention.key_length_swa", TINY_U32, ABSENT},
    {"attention.value_length_swa", TINY_U32, ABSENT},
    {"attention.sliding_window", TINY_U32, ABSENT},
    {"rope.dimension_count", TINY_U32, ABSENT},
    {"rope.dimension_count_swa", TINY_U32, ABSENT},
    {"rope.scaling.original_context_length", TINY_U32, ABSENT},
    {"rope.scaling.factor", TINY_F32, ABSENT},
    {"rope.scaling.yarn_ext_factor", TINY_F32, ABSENT},
    {"rope.scaling.yarn_beta_fast", TINY_F32, ABSENT},
    {"rope.freq_base", TINY_F32, ABSENT},
    {"nextn_predict_layers", TINY_U32, ABSENT},
    {"expert_count", TINY_U32, ABSENT},
    {"expert_used_count", TINY_U32, ABSENT},
    {"expert_feed_forward_length", TINY_U32, ABSENT},
    {"expert_shared_count", TINY_U32, ABSENT},
    {"expert_shared_feed_forward_length", TINY_U32, ABSENT},
    {"expert_group_count", TINY_U32, ABSENT},
    {"expert_group_used_count", TINY_U32, ABSENT},
    {"expert_gating_func", TINY_U32, ABSENT},
    {"leading_dense_block_count", TINY_U32, ABSENT},
    {"attention.q_lora_rank", TINY_U32, ABSENT},
    {"attention.key_length_mla", TINY_U32, ABSENT},
    {"attention.value_length_mla", TINY_U32, ABSENT},
    {"attention.scale", TINY_F32, ABSENT},
    {"attn_logit_softcapping", TINY_F32, ABSENT},
    {"final_logit_softcapping", TINY_F32, ABSENT},
    {"full_attention_interval", TINY_U32, ABSENT},
};

/* %u: the layer. */
static const char *const optional[16] = {
    "blk.%u.attn_qkv.weight",
    "blk.%u.attn_k_b.weight",
    "blk.%u.attn_qkv.bias",
    "output.weight",
    "rope_freqs.weight",
    "rope_factors_long.weight",
    "blk.%u.exp_probs_b.bias",
    "blk.%u.attn_norm_2.weight",
    "blk.%u.ffn_norm.weight",
    "blk.%u.attn_q_norm.weight",
    "blk.%u.ffn_gate_shexp.weight",
    "blk.%u.ffn_up_shexp.weight",
    "blk.%u.attn_k_norm.weight",
    "blk.%u.attn_output.bias",
    "output.bias",
    "blk.%u.ffn_down.bias",
};

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* The upper half: bytes that the file in memory is shifted by. */
enum { SETTING_BLOCKS = 1, SETTING_HALF_CACHE = 2, SETTING_F32 = 4, SETTING_SHIFT = 16 };

static size_t count_architectures(void)
{
    size_t n = 0;
    while (model_architecture_at(n))
        n++;
    return n;
}

/* The model that an input stands for, without tensors that must be there. */
static void describe(struct tiny_model *m, const uint8_t *data, size_t size)
{
    m->architecture = model_architecture_at(data[0] % count_architectures());
    m->n_keys = m->n_parts = 0;
    m->layers = 2;
    m->shift = data[3] / SETTING_SHIFT;
    m->type = data[3] & SETTING_BLOCKS ? GGUF_Q8_0 : GGUF_F32;
    for (size_t i = 0; i < COUNT(keys) && keys[i].number != ABSENT; i++)
        tiny_key(m, keys[i].suffix, keys[i].kind, keys[i].number);
    for (size_t at = 4; at + 3 <= size; at += 3) {
        const struct tiny_key *key = &keys[data[at] % COUNT(keys)];
        uint32_t number = data[at + 1] | (uint32_t)data[at + 2] << 8;
        tiny_key(m, key->suffix, key->kind, number);
        if (strcmp(key->suffix, "block_count") == 0)
            m->layers = number % 8;
    }
    for (size_t i = 0; i < COUNT(optional); i++)
        for (uint32_t il = 0; il < 2 && (data[1] | data[2] << 8) >> i & 1; il++) {
            char name[64];
            (void)snprintf(name, sizeof name, optional[i], il);
            (void)tiny_part(m, name);
        }
}

/* Two tokens, then one more. */
static void evaluate(const struct model *model)
{
    static float logits[2 * sizeof(((struct tiny *)0)->data)];
    const struct model_hparams *h = model_hparams(model);
    const struct model_shape shape = {h->context < 4 ? h->context : 4, 1};
    const uint32_t tokens[] = {0, h->vocab - 1, h->vocab / 2};
    struct model_context *context = NULL;
    if (model_context_new(&context, model, &shape, NULL) != GGUF_OK)
        return;
    for (size_t at = 0; at < 3 && at < shape.n_ctx; at += 2) {
        struct model_batch batch = {.tokens = tokens + at,
                                    .n = at == 0 && shape.n_ctx > 1 ? 2 : 1};
        enum gguf_status status = model_eval(context, &batch, NULL);
        fuzz_assert(status == GGUF_OK || status == GGUF_ERR_DATA);
        fuzz_assert(model_wanted(context) == batch.n && batch.n * h->vocab <= COUNT(logits));
        fuzz_assert(model_logits(context, 0, batch.n, logits, NULL) == GGUF_OK);
    }
    model_context_free(context);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct tiny_model m;
    struct gguf *gguf = NULL;
    struct model *model = NULL;
    struct gguf_error err;
    if (size < 4 || size > 400)
        return 0;
    struct model_settings settings = {.threads = 1, .half_cache = data[3] & SETTING_HALF_CACHE};
    if (data[3] & SETTING_F32)
        settings.activations = MODEL_ACTIVATIONS_F32;
    describe(&m, data, size);
    if (tiny_open(&m, &gguf, &model, &settings, &err) != GGUF_OK)
        return 0;
    evaluate(model);
    model_close(model);
    gguf_close(gguf);
    return 0;
}

/* ---- Seeds ---------------------------------------------------------------------------------
 */

struct seed {
    const char *architecture;
    unsigned optional, settings;
    struct {
        const char *suffix;
        uint16_t number;
    } keys[12];
};

static const struct seed seeds[] = {
    {"llama", 1 << 3, SETTING_BLOCKS, {{"embedding_length", 32}, {"feed_forward_length", 64}}},
    {"llama",
     0,
     SETTING_HALF_CACHE,
     {{"embedding_length", 16},
      {"attention.head_count", 4},
      {"attention.head_count_kv", 2},
      {"expert_count", 4},
      {"expert_used_count", 2}}},
    /* Layers with a window have heads of another length. */
    {"gemma3",
     0,
     0,
     {{"block_count", 4},
      {"nextn_predict_layers", 1},
      {"attention.key_length", 8},
      {"attention.value_length", 6},
      {"attention.key_length_swa", 4},
      {"attention.value_length_swa", 10},
      {"rope.dimension_count_swa", 4},
      {"attention.sliding_window", 2},
      {"attention.sliding_window_pattern", 2}}},
    {"gemma2", 0, 0, {{"attention.key_length", 4}, {"attention.key_length_swa", 8}}},
    /* Latent attention whose heads are longer than the compressed ones, or than a key says. */
    {"deepseek2",
     1 << 1,
     0,
     {{"rope.dimension_count", 2},
      {"attention.q_lora_rank", 6},
      {"attention.key_length_mla", 12},
      {"attention.value_length_mla", 10}}},
    {"deepseek2",
     1 << 1,
     SETTING_BLOCKS,
     {{"rope.dimension_count", 2},
      {"attention.kv_lora_rank", 32},
      {"attention.key_length_mla", 34},
      {"attention.value_length_mla", 2}}},
    {"deepseek2",
     0,
     0,
     {{"rope.dimension_count", 2},
      {"attention.key_length", 2},
      {"attention.value_length", 1},
      {"attention.key_length_mla", 12},
      {"attention.value_length_mla", 10}}},
    {"deepseek2",
     1 << 6,
     0,
     {{"rope.dimension_count", 2},
      {"attention.q_lora_rank", 200},
      {"expert_count", 8},
      {"expert_used_count", 2},
      {"expert_feed_forward_length", 4},
      {"expert_shared_count", 2},
      {"expert_group_count", 4},
      {"expert_group_used_count", 2},
      {"leading_dense_block_count", 1},
      {"expert_gating_func", 2}}},
    {"phi3", 1 << 0 | 1 << 2, 0, {{"attention.head_count_kv", 1}}},
    {"qwen2moe",
     0,
     0,
     {{"expert_count", 4},
      {"expert_used_count", 3},
      {"expert_feed_forward_length", 6},
      {"expert_shared_feed_forward_length", 20}}},
    {"granite",
     1 << 10,
     0,
     {{"expert_count", 4},
      {"expert_used_count", 3},
      {"expert_shared_feed_forward_length", 20}}},
    {"granite",
     1 << 11,
     0,
     {{"expert_count", 4},
      {"expert_used_count", 3},
      {"expert_shared_feed_forward_length", 20}}},
    {"falcon", 1 << 7, 0, {{"attention.head_count_kv", 1}}},
    {"stablelm", 1 << 8 | 1 << 9 | 1 << 12, 0, {{"rope.dimension_count", 2}}},
    {"olmo2", 0, 0, {{"attention.sliding_window", 1}, {"block_count", 4}}},
    {"cohere2", 0, 0, {{"attention.sliding_window", 1}, {"block_count", 4}}},
};

static size_t put_seed(const struct seed *seed, size_t architecture, uint8_t *out)
{
    size_t size = 4;
    out[0] = (uint8_t)architecture;
    out[1] = (uint8_t)seed->optional;
    out[2] = (uint8_t)(seed->optional >> 8);
    out[3] = (uint8_t)seed->settings;
    for (size_t k = 0; k < COUNT(seed->keys) && seed->keys[k].suffix; k++) {
        size_t i = 0;
        while (keys[i].kind != TINY_U32 || strcmp(keys[i].suffix, seed->keys[k].suffix) != 0)
            fuzz_assert(++i < COUNT(keys));
        out[size++] = (uint8_t)i;
        out[size++] = (uint8_t)seed->keys[k].number;
        out[size++] = (uint8_t)(seed->keys[k].number >> 8);
    }
    return size;
}

/* Those above, then every architecture as it is. */
size_t fuzz_seed(size_t index, uint8_t *out)
{
    static const struct seed plain;
    size_t i = index < COUNT(seeds) ? 0 : index - COUNT(seeds);
    if (index >= COUNT(seeds))
        return i < count_architectures() ? put_seed(&plain, i, out) : 0;
    while (strcmp(model_architecture_at(i), seeds[index].architecture) != 0)
        i++;
    return put_seed(&seeds[index], i, out);
}
