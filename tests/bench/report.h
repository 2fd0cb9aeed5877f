/* What bench_quant found, as text, Markdown or JSON. */
#ifndef TESTS_BENCH_REPORT_H
#define TESTS_BENCH_REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "quant/quant.h"
#include "tests/bench/measure.h"
#include "tests/bench/sets.h"

/* Million weights per second, on one thread [0] and on all [1]. */
struct bench_speed {
    uint32_t type;
    enum quant_preset preset;
    double plain[2], imatrix[2], decode[2];
};

/* Plain rounding, and copying of floats. */
struct bench_floor {
    uint32_t type;
    double speed[2];
};

enum bench_output { BENCH_TEXT, BENCH_MARKDOWN, BENCH_JSON };

struct bench_report {
    enum quant_cpu cpu;
    int threads;
    enum bench_output output;
    bool classes; /* the errors of each group too */
    double memcpy_speed[2];
    double load;   /* bench_load before the first timing */
    double slower; /* the mean of bench_timing.slower */
    struct bench_floor *rounding;
    size_t n_rounding;
    struct bench_speed *speeds;
    size_t n_speeds;
    struct bench_result *results;
    size_t n_results;
    const struct bench_set *sets;
    size_t n_sets;
};

void bench_report_print(const struct bench_report *report);
void bench_report_json(const struct bench_report *report);

/* ---- Tables, aligned or in Markdown -------------------------------------------------- */

struct table;
struct bench_sheet {
    struct table *table; /* NULL: Markdown, printed at once */
    size_t columns, cells;
};

/* `columns` as for table_new; the first row is the heading. */
struct bench_sheet bench_sheet_begin(const char *columns, bool markdown);
void bench_cell(struct bench_sheet *sheet, const char *format, ...)
#if defined(__GNUC__)
    __attribute__((format(printf, 2, 3)))
#endif
    ;
void bench_sheet_end(struct bench_sheet *sheet);

/* The processor's name as the system gives it, or "unknown". */
void bench_processor(char *out, size_t size);
/* Compiler and flags: "gcc 12.2.0 -O2 -g". */
const char *bench_compiler(void);
/* Runnable processes, the mean of the last minute; 0 where the system does not say. */
double bench_load(void);

#endif
