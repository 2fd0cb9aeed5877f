/*
 * Memory for fine-tuning, part by part, on each of several GPUs. Formulas: mixed precision as
 * in ZeRO (arXiv:1910.02054), activations as in arXiv:2205.05198 ("Reducing activation
 * recomputation"), QLoRA as in arXiv:2305.14314. Sizes are bytes and stop at MEMORY_MAX.
 */
#ifndef MODEL_TRAINING_H
#define MODEL_TRAINING_H

#include "model/memory.h"

#ifdef __cplusplus
extern "C" {
#endif
#if defined(__GNUC__) /* the library hides everything else */
#pragma GCC visibility push(default)
#endif

enum training_method {
    TRAINING_FULL, /* all weights */
    TRAINING_LORA, /* adapters of low rank beside frozen 16-bit weights */
    TRAINING_QLORA /* adapters beside frozen 4-bit weights (NF4, 4.127 bits) */
};

enum training_optimizer {
    TRAINING_ADAMW,     /* f32 master weights and two f32 moments: 12 bytes a parameter */
    TRAINING_ADAMW_8BIT /* master weights and two 8-bit moments: 6 bytes */
};

/* What is trained: counts of parameters. */
struct training_model {
    uint64_t parameters;    /* all */
    uint64_t linear;        /* of matrices in layers: what QLoRA stores in 4 bits */
    uint64_t largest_layer; /* of one layer */
    uint64_t rank_columns;  /* sum of rows + columns over the matrices that get adapters */
    uint32_t layers, heads, embedding, vocab;
};

struct training_settings {
    enum training_method method;
    enum training_optimizer optimizer;
    uint32_t rank;      /* of the adapters */
    uint32_t batch;     /* sequences at once, on each GPU */
    uint32_t sequence;  /* tokens of each */
    bool checkpointing; /* keeps only the input of every layer, and computes it again */
    bool flash;         /* attention scores are not kept */
    uint32_t gpus;      /* that share the work */
    uint32_t zero;      /* ZeRO stage, 0 to 3 */
};

/* On each GPU. */
struct training_memory {
    uint64_t weights;  /* as they are computed with */
    uint64_t adapters; /* LoRA matrices */
    uint64_t gradients;
    uint64_t optimizer;   /* master weights and moments */
    uint64_t activations; /* kept for the backward pass */
    uint64_t logits;      /* and their gradient: 10 bytes a token and word */
    uint64_t workspace;   /* one layer gathered (ZeRO 3) or dequantized (QLoRA) */
    uint64_t trained;     /* parameters that are trained: a count, of the whole model */
    uint64_t total;       /* of the bytes above */
};

struct training_memory model_training_estimate(const struct training_model *model,
                                               const struct training_settings *settings);

#if defined(__GNUC__)
#pragma GCC visibility pop
#endif
#ifdef __cplusplus
}
#endif
#endif
