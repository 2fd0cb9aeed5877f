/*
 * tests/results.csv: the errors of every type and preset on the fixed inputs, so that a change
 * that makes one worse is seen. One row a case and set:
 *
 *     set,type,preset,imatrix,rmse,wrmse      the two of bench_result_means
 */
#ifndef TESTS_BENCH_RESULTS_H
#define TESTS_BENCH_RESULTS_H

#include <stdbool.h>
#include <stddef.h>

/* How the errors of today's encoders compare with the rows of a file. */
struct bench_outcome {
    size_t compared, worse, better;
    size_t missing; /* cases that have no row */
    size_t stale;   /* rows that have no case */
};

/* Measures, and compares with the file; of the set of this name, or of all (NULL). What is
 * worse, missing or stale is printed. Rows of a set whose files are absent are left out.
 * A file that cannot be read has no rows. */
struct bench_outcome bench_results_compare(const char *path, const char *set);

/* The same for the command line: exit codes of cli.h. */
int bench_results_check(const char *path);
/* Writes all rows anew, keeping those of sets whose files are absent. Refuses where one got
 * worse, unless `force`. */
int bench_results_write(const char *path, bool force);

#endif
