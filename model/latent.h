/* Multi-head latent attention. Inside model/ only. */
#ifndef MODEL_LATENT_H
#define MODEL_LATENT_H

#include "model/internal.h"

/* From in [n][embedding] to ctx->attended, [n][heads * value]. */
void latent_attention(struct model_context *ctx, uint32_t il, const float *in);

#endif
