/* What the files of one level share. Inside model/kernels/ only. */
#ifndef MODEL_KERNELS_INNER_H
#define MODEL_KERNELS_INNER_H

#include "model/kernels/kernels.h"
#include "quant/kernels/lanes.h"

/* Columns of a tile: those of a panel, whatever multiplies it. */
#if QUANT_LANES > 1
#define VECTORS 2
#else
#define VECTORS 4
#endif
#define NR (QUANT_LANES * VECTORS)

void KERNEL_NAME(kernel_tile)(const struct kernel_tile *t);
void KERNEL_NAME(kernel_panel)(const float *rows, size_t stride, size_t columns, float *out);
void KERNEL_NAME(kernel_rows_f32)(const struct kernel_rows *t);
void KERNEL_NAME(kernel_rows_f16)(const struct kernel_rows *t);
void KERNEL_NAME(kernel_rows_bf16)(const struct kernel_rows *t);
void KERNEL_NAME(kernel_round_half)(const float *x, float *out, size_t n);
float KERNEL_NAME(kernel_softmax)(float *x, size_t n, float scale);
void KERNEL_NAME(kernel_silu)(float *gate, const float *up, size_t n);
void KERNEL_NAME(kernel_gelu)(float *gate, const float *up, size_t n);

extern const struct model_kernels8 KERNEL_NAME(model_kernels8)[];
extern const struct model_kernels KERNEL_NAME(model_kernels);

#endif
