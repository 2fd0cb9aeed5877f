/*
 * Error statistics and the check for numbers, with the same bits at every level of the
 * processor. Inside quant/ only.
 */
#ifndef QUANT_MEASURE_H
#define QUANT_MEASURE_H

#include "quant/quant.h"

/* Over elements x and what was made of them, y. Sums are of squares in double, which finite
 * floats cannot bring to overflow. */
struct quant_sums {
    double error;  /* sum of (x - y)^2 */
    double energy; /* sum of x^2 */
};

/* x and y are summed in pieces of this many elements from the first on, the last may be
 * shorter, and the pieces in order: calls that split a row elsewhere round differently. */
#define QUANT_MEASURE_PIECE 256

/* The kernels of one level. */
struct quant_measure {
    /* Adds to *sums. Both energy and error stay finite if and only if x and y are. */
    void (*add)(struct quant_sums *sums, const float *restrict x, const float *restrict y,
                size_t n);
    /* Index of the first NaN or infinity, or SIZE_MAX. */
    size_t (*find_not_finite)(const float *x, size_t n);
};

/* NULL where this machine cannot run the level. quant_cpu_best() gives one that it can. */
const struct quant_measure *quant_measure_at(enum quant_cpu cpu);

#endif
