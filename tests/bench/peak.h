/*
 * The peak of the machine: what its cores do when they do nothing but multiply and add. Chains
 * of fused multiply-adds (or of dot products of bytes) that do not wait for each other, all in
 * registers, of the width of the level.
 */
#ifndef TESTS_BENCH_PEAK_H
#define TESTS_BENCH_PEAK_H

#include <stddef.h>

#include "quant/quant.h"

/* A multiply-add counts as two operations. */
struct bench_peak {
    double floats;   /* operations a second */
    double integers; /* with the instructions that the forward pass uses */
};

/* Raises `peak` to what is reached now with `threads` threads: the best of several passes of a
 * few hundredths of a second. */
void bench_peak_raise(struct bench_peak *peak, enum quant_cpu cpu, int threads);

/* A loop of `rounds` rounds returns the operations done. `out` has room for 64 values, so that
 * no compiler leaves anything out. */
typedef double (*peak_loop)(size_t rounds, float *out);

/* The loops of one level. */
struct peak_kernels {
    peak_loop floats;
    struct {
        const char *name; /* of the instructions, as in struct model_kernels8 */
        peak_loop loop;
    } integers[2];
};

#endif
