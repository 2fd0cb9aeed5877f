/* The table of architectures, and what their files leave unsaid. */
#include "model/arch.h"

/* Sets of traits that several architectures share. */
#define PRE_NORMS  (TRAIT_ATTN_NORM | TRAIT_FFN_NORM)
#define LLAMA_LIKE (PRE_NORMS | TRAIT_GATE)
#define ALL_BIASES (TRAIT_NORM_BIAS | TRAIT_QKV_BIAS | TRAIT_OUT_BIAS | TRAIT_FFN_BIAS)
#define ANY_BIAS   (TRAIT_QKV_BIAS | TRAIT_OUT_BIAS | TRAIT_FFN_BIAS)

static const struct model_arch archs[] = {
    {.name = "llama",
     .rope = MODEL_ROPE_NORMAL,
     .traits = LLAMA_LIKE,
     .optional = TRAIT_OUTPUT | ANY_BIAS,
     .expert_norm = true},
    {.name = "qwen2",
     .rope = MODEL_ROPE_NEOX,
     .traits = LLAMA_LIKE,
     .optional = TRAIT_OUTPUT | TRAIT_OUTPUT_BIAS | TRAIT_QKV_BIAS},
    {.name = "qwen2moe",
     .rope = MODEL_ROPE_NEOX,
     .traits = LLAMA_LIKE | TRAIT_SHARED_EXPERT | TRAIT_SHARED_GATE,
     .optional = TRAIT_OUTPUT | TRAIT_QKV_BIAS},
    {.name = "qwen3",
     .rope = MODEL_ROPE_NEOX,
     .traits = LLAMA_LIKE | TRAIT_QK_NORM_HEAD,
     .optional = TRAIT_OUTPUT | TRAIT_QKV_BIAS},
    {.name = "qwen3moe",
     .rope = MODEL_ROPE_NEOX,
     .traits = LLAMA_LIKE | TRAIT_QK_NORM_HEAD,
     .optional = TRAIT_OUTPUT | TRAIT_QKV_BIAS,
     .expert_norm = true},
    {.name = "gemma",
     .rope = MODEL_ROPE_NEOX,
     .activation = MODEL_ACT_GELU,
     .traits = LLAMA_LIKE,
     .scale_embedding = true},
    {.name = "gemma2",
     .rope = MODEL_ROPE_NEOX,
     .activation = MODEL_ACT_GELU,
     .traits = LLAMA_LIKE | TRAIT_POST_NORM,
     .scale_embedding = true,
     .wide_scale_layers = 46,
     .attn_softcap = 50.0f,
     .final_softcap = 30.0f},
    {.name = "gemma3",
     .rope = MODEL_ROPE_NEOX,
     .activation = MODEL_ACT_GELU,
     .traits = LLAMA_LIKE | TRAIT_POST_NORM | TRAIT_QK_NORM_HEAD,
     .optional = TRAIT_OUTPUT,
     .scale_embedding = true,
     .plain_sliding = true,
     .wide_scale_layers = 62,
     .rope_base_sliding = 10000.0f},
    {.name = "phi2",
     .norm = MODEL_NORM_LAYER,
     .rope = MODEL_ROPE_NEOX,
     .activation = MODEL_ACT_GELU,
     .traits = TRAIT_ATTN_NORM | ALL_BIASES | TRAIT_OUTPUT | TRAIT_OUTPUT_BIAS},
    {.name = "phi3",
     .rope = MODEL_ROPE_NEOX,
     .traits = PRE_NORMS | TRAIT_FUSED_GATE,
     .optional = TRAIT_OUTPUT | TRAIT_QKV_BIAS},
    {.name = "gpt2",
     .norm = MODEL_NORM_LAYER,
     .rope = MODEL_ROPE_NONE,
     .activation = MODEL_ACT_GELU,
     .traits = PRE_NORMS | ALL_BIASES | TRAIT_POSITIONS,
     .optional = TRAIT_OUTPUT},
    {.name = "gptneox",
     .norm = MODEL_NORM_LAYER,
     .rope = MODEL_ROPE_NEOX,
     .activation = MODEL_ACT_GELU,
     .traits = PRE_NORMS | ALL_BIASES | TRAIT_OUTPUT,
     .parallel_key = true},
    {.name = "falcon",
     .norm = MODEL_NORM_LAYER,
     .rope = MODEL_ROPE_NEOX,
     .activation = MODEL_ACT_GELU,
     .traits = TRAIT_ATTN_NORM | TRAIT_NORM_BIAS,
     .optional = TRAIT_OUTPUT | TRAIT_SECOND_NORM},
    {.name = "starcoder2",
     .norm = MODEL_NORM_LAYER,
     .rope = MODEL_ROPE_NEOX,
     .activation = MODEL_ACT_GELU,
     .traits = PRE_NORMS | ALL_BIASES,
     .optional = TRAIT_OUTPUT},
    {.name = "stablelm",
     .norm = MODEL_NORM_LAYER,
     .rope = MODEL_ROPE_NEOX,
     .traits = TRAIT_ATTN_NORM | TRAIT_GATE | TRAIT_OUTPUT,
     .optional = TRAIT_FFN_NORM | TRAIT_NORM_BIAS | TRAIT_QKV_BIAS | TRAIT_QK_NORM_EACH},
    {.name = "olmo2",
     .rope = MODEL_ROPE_NEOX,
     .traits = TRAIT_GATE | TRAIT_POST_NORM | TRAIT_QK_NORM_FULL | TRAIT_OUTPUT,
     .plain_sliding = true},
    {.name = "granite",
     .rope = MODEL_ROPE_NORMAL,
     .traits = LLAMA_LIKE,
     .optional = TRAIT_OUTPUT | ANY_BIAS | TRAIT_SHARED_EXPERT,
     .logits = MODEL_LOGITS_DIVIDED,
     .expert_norm = true},
    {.name = "smollm3",
     .rope = MODEL_ROPE_NORMAL,
     .traits = LLAMA_LIKE,
     .optional = TRAIT_OUTPUT | ANY_BIAS,
     .no_rope_step = 4},
    {.name = "cohere2",
     .norm = MODEL_NORM_LAYER,
     .rope = MODEL_ROPE_NORMAL,
     .traits = TRAIT_ATTN_NORM | TRAIT_GATE,
     .optional = TRAIT_QKV_BIAS | TRAIT_OUT_BIAS,
     .logits = MODEL_LOGITS_TIMES,
     .rope_on_sliding = true},
    {.name = "glm4",
     .rope = MODEL_ROPE_NORMAL,
     .traits = PRE_NORMS | TRAIT_FUSED_GATE | TRAIT_POST_NORM,
     .optional = TRAIT_OUTPUT | TRAIT_QKV_BIAS},
    {.name = "deepseek2",
     .rope = MODEL_ROPE_NORMAL,
     .traits = LLAMA_LIKE | TRAIT_MLA | TRAIT_SHARED_EXPERT,
     .expert_keys = true,
     .optional = TRAIT_OUTPUT | TRAIT_EXPERT_BIAS},
};

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

const struct model_arch *model_arch_at(size_t index)
{
    return index < COUNT(archs) ? &archs[index] : NULL;
}

const struct model_arch *model_arch_find(struct gguf_str name)
{
    for (size_t i = 0; i < COUNT(archs); i++)
        if (gguf_str_equal(name, archs[i].name))
            return &archs[i];
    return NULL;
}

static const struct model_window_rule window_rules[] = {
    {"afmoe", 4, false, 0},           {"cohere2", 4, false, 0},    {"cohere2moe", 4, true, 0},
    {"exaone-moe", 4, false, 128},    {"exaone4", 4, false, 4096}, {"gemma2", 2, false, 4096},
    {"gemma3", 6, false, 0},          {"gemma3n", 5, false, 0},    {"gemma4", 6, false, 0},
    {"gemma-embedding", 6, false, 0}, {"gpt-oss", 2, false, 0},    {"laguna", 4, true, 0},
    {"llama4", 4, false, 8192},       {"mellum", 4, false, 0},     {"modern-bert", 3, true, 0},
    {"muse-glimmer", 4, false, 0},    {"olmo2", 4, false, 0},      {"plamo3", 8, false, 0},
    {"smallthinker", 4, true, 4096},
};

const struct model_window_rule *model_window_rule(struct gguf_str name)
{
    for (size_t i = 0; i < COUNT(window_rules); i++)
        if (gguf_str_equal(name, window_rules[i].name))
            return &window_rules[i];
    return NULL;
}

static const struct model_hybrid_rule hybrid_rules[] = {
    {"falcon-h1", 0, true},  {"qwen3next", 4, false}, {"qwen35", 4, false},
    {"qwen35moe", 4, false}, {"qwen4exp", 4, false},
};

const struct model_hybrid_rule *model_hybrid_rule(struct gguf_str name)
{
    for (size_t i = 0; i < COUNT(hybrid_rules); i++)
        if (gguf_str_equal(name, hybrid_rules[i].name))
            return &hybrid_rules[i];
    return NULL;
}
