/* Multi-head latent attention. Inside model/ only. */
#ifndef MODEL_LATENT_H
#define MODEL_LATENT_H

#include "model/internal.h"

/* Elements of ctx->qkv that a token of layer il takes. */
uint64_t latent_width(const struct model *model, uint32_t il);

/* From in [n][embedding] to ctx->attended, [n][heads * value]. */
void latent_attention(struct model_context *ctx, uint32_t il, const float *in);

#endif
