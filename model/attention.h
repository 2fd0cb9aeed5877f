/* Attention: what the context and MLA need of it. Inside model/ only. */
#ifndef MODEL_ATTENTION_H
#define MODEL_ATTENTION_H

#include "model/internal.h"

/* Scratch of one thread. */
size_t attention_scratch_bytes(const struct model *model, const struct model_heads *heads,
                               size_t n_ctx);
/* The factor of Q K^T. */
float model_attention_scale(const struct model_context *ctx, const struct model_heads *heads);

#endif
