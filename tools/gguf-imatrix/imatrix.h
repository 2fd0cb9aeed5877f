/* What the files of gguf-imatrix share. */
#ifndef TOOLS_GGUF_IMATRIX_IMATRIX_H
#define TOOLS_GGUF_IMATRIX_IMATRIX_H

#include "tools/common/calibrate.h"
#include "tools/common/cli.h"
#include "tools/common/json.h"
#include "tools/common/term.h"

/* What the command line asks for. */
struct request {
    struct calibration_request calibration; /* model and text: NULL to merge or show alone */
    const char **inputs;                    /* --in */
    size_t n_inputs;
    const char *output; /* NULL: none */
    bool is_legacy;
    uint64_t save_every; /* chunks; 0: at the end alone */
    bool resume, statistics, json, quiet;
};

/* A run. Everything is freed by job_free. */
struct job {
    const struct request *request;
    struct quant_tally *tally;
    struct quant_imatrix **opened; /* --in files, and the output that is resumed */
    size_t n_opened;
    struct gguf_str *datasets;
    size_t n_datasets;
    struct calibration calibration; /* if there is a text */
    uint32_t chunk;                 /* tokens */
    size_t start, done;             /* chunks of the text that are counted, before and after */
    double seconds;
};

/* Merges, evaluates, saves: the exit code. */
int job_run(struct job *job, const struct request *request);
void job_free(struct job *job);

/* ---- Statistics (statistics.c) ---------------------------------------------------------- */

/* Of the mean squared activations of a tensor, experts that saw no token left out. */
struct statistics {
    const struct quant_squares *of;
    uint64_t n; /* columns, of all experts that saw a token */
    double sum, min, max, mean, deviation;
    double active;   /* share that is over 1e-5 */
    double entropy;  /* bits, of the shares of the sum */
    double evenness; /* entropy / log2(n); 1: all columns are alike */
    double outliers; /* share that is over mean + deviation */
    double cosine;   /* of the sums with those of the layer before */
    bool has_layer_before;
};
/* Of all entries with a count, by kind of tensor and layer; for the caller to free. */
struct statistics *statistics_make(const struct quant_tally *tally, size_t *count);

/* ---- Reports (report.c) ----------------------------------------------------------------- */

void report_text(const struct job *job);
void report_json(const struct job *job);
/* Experts that saw no token are never silent. */
void report_unseen(const struct job *job);

#endif
