/*
 * Fixed inputs: sets of groups of rows. A group is one kind of rows (a class of the golden
 * input) or one tensor of a model.
 *
 *     golden      ../shared/golden/input.f32 with the encodings of llama.cpp
 *     generated   the same classes, made here, without logarithms or sines: the same floats
 *                 on every machine
 *     model       rows of fixtures/shakespeare-f16.gguf
 */
#ifndef TESTS_BENCH_SETS_H
#define TESTS_BENCH_SETS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct bench_group {
    char name[64];
    bool counted;  /* in the total: not the constant, zero and very large rows */
    bool ordinary; /* rows such as models have */
    size_t rows, columns;
    float *x;          /* [rows][columns] */
    float *importance; /* [columns] */
};

struct bench_set {
    const char *name;
    bool has_reference; /* golden: encodings of another program */
    size_t n;
    struct bench_group *groups;
};

/* The sets by position, whose files are looked for below the current folder; false past the
 * end. A set whose files are absent has no groups. */
bool bench_set_load(struct bench_set *set, size_t index);
void bench_set_free(struct bench_set *set);

/* The reference's encoding of a group, decoded, [rows][columns]; to be freed. NULL where there
 * is none. */
float *bench_set_reference(const struct bench_set *set, size_t group, uint32_t type,
                           bool imatrix);

/* Pseudo-random rows for timing: Gaussian, sigma 0.02. */
void bench_gaussian(float *x, size_t n, uint64_t seed);
/* Positive, mean about 1, a few much larger than the rest. */
void bench_importance(float *w, size_t n, uint64_t seed);

#endif
