/* Attention: what the context and MLA need of it. Inside model/ only. */
#ifndef MODEL_ATTENTION_H
#define MODEL_ATTENTION_H

#include "model/internal.h"

/* Scratch of one thread. */
size_t attention_scratch_bytes(const struct model *model, const struct model_heads *heads,
                               size_t n_ctx);
/* The factor of Q K^T. */
float model_attention_scale(const struct model_context *ctx, const struct model_heads *heads);

/* With a cache in half precision: whether llama.cpp has no kernel for heads of this length, and
 * what it does then. */
bool attention_half_wanted(const struct model *model, const struct model_heads *heads);
void attention_half(struct model_context *ctx, uint32_t il);

#endif
