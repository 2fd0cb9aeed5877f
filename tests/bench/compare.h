/* Another program's encoding of a real model against ours. */
#ifndef TESTS_BENCH_COMPARE_H
#define TESTS_BENCH_COMPARE_H

#include <stdbool.h>

#include "quant/quant.h"
#include "tests/bench/report.h"

struct bench_compare {
    const char *source;    /* F32, F16 or BF16 */
    const char *reference; /* the same tensors, encoded by another program */
    const char *ours;      /* encoded by gguf-quant; NULL: encoded here, to the types of
                            * `reference`, with each of the presets */
    const char *imatrix;   /* or NULL */
    enum quant_cpu cpu;
    enum bench_output output;
    bool presets[3];
};

/* Prints the weighted error of every tensor and of all, each by the objective of its type.
 * What cannot be read ends the program. */
int bench_compare_models(const struct bench_compare *compare);

#endif
