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
    double integers; /* 0: no product in integers at this level */
};

/* Raises `peak` to what is reached now with `threads` threads: the best of several passes of a
 * few hundredths of a second. */
void bench_peak_raise(struct bench_peak *peak, enum quant_cpu cpu, int threads);

/* The loops of one level: `rounds` rounds, returns the operations done. `out` has room for 64
 * values, so that no compiler leaves anything out. */
struct peak_kernels {
    double (*floats)(size_t rounds, float *out);
    double (*integers)(size_t rounds, float *out); /* NULL: none */
};

#endif
