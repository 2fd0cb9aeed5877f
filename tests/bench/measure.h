/* Errors and speeds of one encoder. */
#ifndef TESTS_BENCH_MEASURE_H
#define TESTS_BENCH_MEASURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "quant/quant.h"
#include "tests/bench/objective.h"
#include "tests/bench/sets.h"

/* One row of the results: an encoder, with or without an imatrix. */
struct bench_case {
    uint32_t type;
    enum quant_preset preset;
    bool imatrix;
    quant_encode_fn encode;
    quant_decode_fn decode;
};

/* The cases of a level by position: all types with an encoder, all presets, without and
 * with an imatrix. False past the end. */
bool bench_case_at(struct bench_case *c, enum quant_cpu cpu, size_t index);

struct bench_errors {
    struct bench_error ours, rounded, reference;
    bool has_rounded, has_reference;
};

/* The errors of one case on one set. */
struct bench_result {
    struct bench_case c;
    const struct bench_set *set;
    struct bench_errors *groups; /* [set->n] */
    struct bench_errors total;   /* the sums over the counted groups */
};

/* To be freed by bench_result_free. */
struct bench_result bench_measure(const struct bench_set *set, const struct bench_case *c);
void bench_result_free(struct bench_result *result);

/* Root of the mean over the counted groups of the squared relative errors: no group outweighs
 * another by its scale. */
struct bench_means {
    double rmse, weighted_rmse;
};
struct bench_means bench_result_means(const struct bench_result *result);

/* Encodes and decodes `rows` rows of `columns` weights. */
struct bench_error bench_measure_rows(const struct bench_case *c, const struct bench_group *g);

/* 100 * (ours / reference - 1) of the weighted errors; 0 where both are 0. */
double bench_difference(const struct bench_error *ours, const struct bench_error *reference);

/* Rows for timing. */
struct bench_timing {
    size_t rows, columns;
    float *x, *importance, *y;
    unsigned char *blocks;
    double
        slower; /* sum over the timings of how much slower the median pass was: 0.1 for 10 % */
    size_t n;   /* timings */
};
void bench_timing_make(struct bench_timing *t);
void bench_timing_free(struct bench_timing *t);

/* Million weights per second, the best of several passes over `t`. */
double bench_speed_encode(struct bench_timing *t, const struct bench_case *c, int threads);
double bench_speed_decode(struct bench_timing *t, const struct bench_case *c, int threads);
double bench_speed_round(struct bench_timing *t, const struct bench_type *type, int threads);
double bench_speed_memcpy(struct bench_timing *t, int threads);

#endif
