/* Sizes of the working memory of matrix products. Inside model/ only. */
#ifndef MODEL_MATMUL_H
#define MODEL_MATMUL_H

#include "model/internal.h"

/* The laid-out input, and the scratch of one thread. */
size_t matmul_packed_bytes(const struct model *model, size_t n, size_t columns);
size_t matmul_scratch_bytes(const struct model *model, size_t n);

#endif
