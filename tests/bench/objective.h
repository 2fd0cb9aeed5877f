/*
 * What the encoders of llama.cpp minimise, one row per type: the yardstick of the benchmark and
 * of tests/results.csv. Facts of 2026-09 (quantize_row_*_ref without, quantize_*_impl with an
 * imatrix); in blocks of rows, x a weight of the row and q its importance:
 *
 *     objective                       weight of (x - y)^2
 *     BENCH_PLAIN                     1
 *     BENCH_ABS                       |x|
 *     BENCH_RMS_ABS                   rms of the 32 weights of the sub-block + |x|
 *     BENCH_SQUARE                    x^2
 *     BENCH_IMPORTANCE                q
 *     BENCH_IMPORTANCE_SIGMA          q sqrt(c s^2 + x^2), s^2 the mean of x^2 over `span`
 */
#ifndef TESTS_BENCH_OBJECTIVE_H
#define TESTS_BENCH_OBJECTIVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum bench_weighting {
    BENCH_PLAIN,
    BENCH_ABS,
    BENCH_RMS_ABS,
    BENCH_SQUARE,
    BENCH_IMPORTANCE,
    BENCH_IMPORTANCE_SIGMA
};

struct bench_type {
    uint32_t type;
    enum bench_weighting without, with; /* an imatrix */
    uint16_t span;                      /* weights that share s^2; 0: the row */
    uint8_t c;                          /* the factor of s^2 */
    /* Plain rounding to nearest with the scales in full precision, to compare with. */
    uint8_t sub_block;  /* weights that share a scale; 0: not measured */
    bool has_min;       /* x = scale * q + min */
    int8_t least, most; /* q */
};

/* The row of a type; a plain one, without rounding, for a type that has none. */
const struct bench_type *bench_type_find(uint32_t type);

/* Squared errors of a decoded against the original, plain and weighted. */
struct bench_error {
    double error, energy;                   /* sum (x - y)^2, sum x^2 */
    double weighted_error, weighted_energy; /* the same with the weights of the objective */
};

/* Adds one row of `n` weights; `importance` NULL: without an imatrix. */
void bench_error_add(struct bench_error *sum, const struct bench_type *type, const float *x,
                     const float *y, size_t n, const float *importance);
void bench_error_merge(struct bench_error *sum, const struct bench_error *other);

/* Relative root mean square errors; 0 where all is zero, infinite where only x is. */
double bench_rmse(const struct bench_error *e);
double bench_weighted_rmse(const struct bench_error *e);

/* Rounds a row of `n` weights to nearest: codes[n], and of each sub-block the scale and the
 * min, scales[2 * n / sub_block]. */
void bench_round(const struct bench_type *type, const float *x, size_t n, int8_t *codes,
                 float *scales);
void bench_unround(const struct bench_type *type, const int8_t *codes, const float *scales,
                   size_t n, float *y);

#endif
