/* Architectures as data: one row each says what differs from the others. */
#ifndef MODEL_ARCH_H
#define MODEL_ARCH_H

#include "model/hparams.h"

enum model_norm {
    MODEL_NORM_RMS,  /* x / rms(x) * weight */
    MODEL_NORM_LAYER /* (x - mean) / deviation * weight + bias */
};

enum model_activation {
    MODEL_ACT_SILU, /* x / (1 + exp(-x)) */
    MODEL_ACT_GELU  /* x / 2 (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))) */
};

enum model_logit_rule { MODEL_LOGITS_PLAIN, MODEL_LOGITS_TIMES, MODEL_LOGITS_DIVIDED };

/* What a layer has besides attention and feed-forward: bits of model_arch.traits. A tensor
 * whose bit is set must be there; one whose bit is in model_arch.optional may be. */
enum model_trait {
    TRAIT_ATTN_NORM = 1 << 0,      /* attn_norm before attention */
    TRAIT_FFN_NORM = 1 << 1,       /* ffn_norm before the feed-forward part; without it that
                                    * part sees what attention sees (parallel) */
    TRAIT_POST_NORM = 1 << 2,      /* post_attention_norm, post_ffw_norm on what is added */
    TRAIT_NORM_BIAS = 1 << 3,      /* biases of all these and of output_norm */
    TRAIT_QK_NORM_HEAD = 1 << 4,   /* norm of each head of Q and K, one weight for all */
    TRAIT_QK_NORM_FULL = 1 << 5,   /* norm of the whole row of Q and K */
    TRAIT_QKV_BIAS = 1 << 6,       /* attn_q.bias ..., or attn_qkv.bias */
    TRAIT_OUT_BIAS = 1 << 7,       /* attn_output.bias */
    TRAIT_FFN_BIAS = 1 << 8,       /* ffn_up.bias, ffn_down.bias (ffn_gate.bias) */
    TRAIT_GATE = 1 << 9,           /* ffn_gate: act(gate) * up */
    TRAIT_FUSED_GATE = 1 << 10,    /* ffn_up holds gate and up, in this order */
    TRAIT_MLA = 1 << 11,           /* multi-head latent attention */
    TRAIT_POSITIONS = 1 << 12,     /* learned positions, position_embd */
    TRAIT_OUTPUT = 1 << 13,        /* output.weight; otherwise token_embd serves */
    TRAIT_OUTPUT_BIAS = 1 << 14,   /* output.bias */
    TRAIT_SHARED_EXPERT = 1 << 15, /* ffn_*_shexp */
    TRAIT_SHARED_GATE = 1 << 16,   /* ffn_gate_inp_shexp: sigmoid gate of the shared expert */
    TRAIT_SECOND_NORM = 1 << 17,   /* attn_norm_2: norm for attention, attn_norm for ffn */
    TRAIT_QK_NORM_EACH = 1 << 18,  /* norm of each head of Q and K, weights of its own */
    TRAIT_EXPERT_BIAS = 1 << 19,   /* exp_probs_b: added for the selection of experts only */
    TRAIT_END = 1 << 20            /* the first free bit */
};

struct model_arch {
    const char *name; /* general.architecture */
    enum model_norm norm;
    enum model_rope_kind rope;
    enum model_activation activation;
    unsigned traits;
    unsigned optional;
    enum model_logit_rule logits;
    bool scale_embedding;  /* by sqrt(embedding) */
    bool parallel_key;     /* use_parallel_residual decides: parallel, with ffn_norm of x */
    bool rope_on_sliding;  /* full-attention layers have no RoPE */
    bool plain_sliding;    /* RoPE scaling in full-attention layers only */
    uint32_t no_rope_step; /* every nth layer has no RoPE; 0: all have */
    bool expert_keys;      /* expert_gating_func, expert_weights_* and expert_group_* count */
    bool expert_norm;      /* weights of the used experts sum to 1, whatever the key says */
    uint32_t wide_scale_layers; /* models with this many layers scale scores by
                                 * 1 / sqrt(embedding / heads) */
    float attn_softcap;         /* where the key is missing */
    float final_softcap;
    float rope_base_sliding; /* where the key is missing; 0: rope.freq_base */
};

/* The row; NULL for an architecture without a forward pass. */
const struct model_arch *model_arch_find(struct gguf_str name);
/* By position; NULL past the end. */
const struct model_arch *model_arch_at(size_t index);

/* Sliding-window attention where the file need not say which layers have it. */
struct model_window_rule {
    const char *name;
    uint32_t period; /* every `period`th layer attends to everything; 0: none does */
    bool full_first; /* the first of each `period`, instead of the last */
    uint32_t window; /* where attention.sliding_window is missing; 0: no windows then */
};
const struct model_window_rule *model_window_rule(struct gguf_str name);

/* Models that mix attention with recurrent layers. */
struct model_hybrid_rule {
    const char *name;
    uint32_t interval; /* every nth layer has attention, where the key is missing; 0: by
                        * head_count_kv */
    bool both;         /* attention and a recurrent state in every layer */
};
const struct model_hybrid_rule *model_hybrid_rule(struct gguf_str name);

#endif
