/*
 * Hyperparameters: what the metadata of a model says about the shape of its network.
 * Part of model/model.h, which includes this.
 */
#ifndef MODEL_HPARAMS_H
#define MODEL_HPARAMS_H

#include "libgguf/gguf.h"

#ifdef __cplusplus
extern "C" {
#endif
#if defined(__GNUC__) /* the library hides everything else */
#pragma GCC visibility push(default)
#endif

#define MODEL_MAX_LAYERS       1024
#define MODEL_MAX_EXPERTS_USED 256 /* by one token */

enum model_rope_kind {
    MODEL_ROPE_NONE,   /* no rotary embedding, or the architecture has no row */
    MODEL_ROPE_NORMAL, /* rotates the pairs (0, 1), (2, 3), ... of a head */
    MODEL_ROPE_NEOX    /* rotates the pairs (0, n/2), (1, n/2 + 1), ... */
};

enum model_rope_scaling {
    MODEL_ROPE_SCALING_NONE,
    MODEL_ROPE_SCALING_LINEAR,  /* positions divided by the factor */
    MODEL_ROPE_SCALING_YARN,    /* arXiv:2309.00071 */
    MODEL_ROPE_SCALING_LONGROPE /* factors from tensors, arXiv:2402.13753 */
};

enum model_gating {
    MODEL_GATING_UNSET,          /* the architecture's default */
    MODEL_GATING_SOFTMAX = 1,    /* over all experts */
    MODEL_GATING_SIGMOID = 2,    /* of each expert by itself */
    MODEL_GATING_SOFTMAX_TOP = 3 /* over the selected experts */
};

/* What may differ from layer to layer. */
struct model_layer_hparams {
    uint32_t heads;            /* query heads; 0: the layer has no attention */
    uint32_t kv_heads;         /* key and value heads; 0: no attention */
    uint32_t ff_length;        /* rows of ffn_up; 0: no dense feed-forward part */
    uint32_t expert_ff_length; /* rows of one expert's ffn_up; 0 without experts */
    uint32_t experts_used;     /* per token; 0 without experts */
    bool sliding;              /* attends to the last `window` positions alone */
    bool recurrent;            /* keeps a state of fixed size in place of a KV cache */
    bool own_cache;            /* false: reads the cache of an earlier layer, or has none */
};

struct model_rope_hparams {
    enum model_rope_scaling scaling;
    uint32_t dims;             /* rotated elements of a head */
    uint32_t dims_sliding;     /* in layers with a sliding window */
    uint32_t original_context; /* positions of the unscaled model */
    float base;                /* wavelength of pair i: 2 pi base^(2i / dims) */
    float base_sliding;
    float factor;         /* context extension, 1: none */
    float attn_factor;    /* multiplies sine and cosine */
    float log_multiplier; /* yarn_log_multiplier; 0 where absent */
    float ext_factor;     /* YaRN: weight of extrapolation; < 0: the default of the kind */
    float beta_fast;      /* YaRN: rotations over the original context that mark */
    float beta_slow;      /* the two ends of the ramp */
};

struct model_hparams {
    struct gguf_str architecture; /* belongs to the gguf */
    bool has_forward;             /* the architecture has a row: model_open takes it */

    uint32_t layers;       /* block_count, with the layers below */
    uint32_t nextn_layers; /* last layers, for multi-token prediction: not evaluated */
    uint32_t embedding;    /* elements of a token's vector */
    uint32_t vocab;        /* tokens; 0 where the file does not say */
    uint32_t context;      /* positions trained for; 0 where the file does not say */

    uint32_t key_length;           /* of one head, in full-attention layers */
    uint32_t value_length;         /* likewise */
    uint32_t key_length_sliding;   /* of one head, in layers with a sliding window */
    uint32_t value_length_sliding; /* likewise */
    uint32_t window;               /* positions of the sliding window; 0: none */
    struct model_rope_hparams rope;

    uint32_t experts;                 /* of a layer with experts; 0: none */
    uint32_t experts_shared;          /* used for every token */
    uint32_t expert_shared_ff_length; /* rows of their ffn_up together; 0 where absent */
    uint32_t expert_groups;           /* of which `expert_groups_used` are looked at; 0: one */
    uint32_t expert_groups_used;
    uint32_t leading_dense; /* first layers without experts */
    enum model_gating gating;
    float expert_scale; /* multiplies the weights of the experts; 1 where absent */
    bool expert_norm;   /* weights of the used experts are made to sum to 1 */

    /* Multi-head latent attention (DeepSeek); 0 where absent. */
    uint32_t q_lora_rank;
    uint32_t kv_lora_rank;
    uint32_t key_length_mla; /* of one head after decompression */
    uint32_t value_length_mla;

    /* Recurrent layers: for estimates of memory; 0 where absent. */
    uint32_t ssm_conv_kernel;
    uint32_t ssm_inner_size;
    uint32_t ssm_state_size;
    uint32_t ssm_group_count;
    uint32_t wkv_head_size;
    uint32_t token_shift_count;
    uint32_t shortconv_cache;
    uint32_t kda_head_dim;

    float norm_eps;         /* of LayerNorm; 0 where absent */
    float norm_rms_eps;     /* of RMS norm; 0 where absent */
    float embedding_scale;  /* multiplies token vectors; 0 where absent */
    float residual_scale;   /* multiplies what a layer adds; 0 where absent */
    float attention_scale;  /* multiplies Q K^T; 0: 1 / sqrt(key_length) */
    float logit_scale;      /* 0 where absent */
    float attn_softcap;     /* c: x becomes c tanh(x / c); 0 where absent */
    float final_softcap;    /* likewise, of the logits */
    bool parallel_residual; /* the key use_parallel_residual */

    struct model_layer_hparams layer[MODEL_MAX_LAYERS];
};

/*
 * Reads the hyperparameters of `gguf`; *out is meaningless after an error. For an
 * architecture without a forward pass (has_forward is false) keys may be missing: what the
 * file does not say is 0. Errors: GGUF_ERR_CORRUPT (no architecture; a key that is missing,
 * of another type or out of its range), with the key, what was found and what was expected.
 */
enum gguf_status model_hparams_read(struct model_hparams *out, const struct gguf *gguf,
                                    struct gguf_error *err);

/* The same for an estimate: no key but general.architecture has to be there, whatever the
 * architecture. What is there is checked all the same. */
enum gguf_status model_hparams_read_shape(struct model_hparams *out, const struct gguf *gguf,
                                          struct gguf_error *err);

#if defined(__GNUC__)
#pragma GCC visibility pop
#endif
#ifdef __cplusplus
}
#endif
#endif
