/* What the files of gguf-quant share: one run from the command line to the report. */
#ifndef TOOLS_GGUF_QUANT_JOB_H
#define TOOLS_GGUF_QUANT_JOB_H

#include "quant/quant.h"
#include "tools/common/cli.h"
#include "tools/common/json.h"
#include "tools/common/term.h"

/* A list of strings given by a repeatable option. */
struct words {
    const char **word;
    size_t n;
};

/* What the command line asks for. */
struct request {
    const char *input, *output; /* output: NULL for a dry run that was given none */
    struct quant_recipe recipe;
    struct quant_override *overrides;
    size_t n_overrides;
    const char *imatrix;
    const char *calibrate;         /* a text to compute the importance from */
    uint64_t chunk, chunks;        /* of that text, as in struct calibration_request */
    struct words include, exclude; /* parts of names whose importance is used, or not */
    struct words metadata;         /* KEY=TYPE:VALUE */
    uint64_t shard_bytes;
    bool keep_split, requantize, dry_run, force, verify, json, quiet, verbose;
    int threads;
    enum quant_preset preset;
    enum quant_cpu cpu;
};

/* A run. Everything is freed by job_free. */
struct job {
    const struct request *request;
    struct gguf *model;
    struct quant_imatrix *imatrix; /* or NULL */
    size_t imatrix_entries;        /* that are used, after include and exclude */
    struct quant_item *items;      /* in output order */
    size_t n_items;
    struct gguf_writer *writer;
    uint64_t input_bytes, output_bytes; /* of files, headers included */
    double seconds;
};

/* Opens the model and the importance matrix, chooses types and lays the output out. Any
 * trouble is a message and exit 2. */
void job_plan(struct job *job, const struct request *request);
/* Does the work: the exit code. */
int job_run(struct job *job);
void job_free(struct job *job);

/* "int:5", "u32:7", "float:1.5", "bool:true", "str:text": sets a key (override.c). */
void override_apply(struct gguf_writer *writer, const struct gguf *model, const char *argument);

/* Tables on standard output (report.c), or JSON (report_json.c). */
void report_text(const struct job *job);
void report_json(const struct job *job);
/* Fallbacks are never silent: a warning with the tensors, also with -q. */
void report_fallbacks(const struct job *job);
/* --list: the mixes that can be made (list.c). */
void report_mixes(bool json);
/* Names of such mixes that begin like `name`, as "Q4_K_S, Q4_K_M"; "" if there is none. */
void similar_mixes(char *out, size_t size, const char *name);

const struct gguf_tensor *job_tensor(const struct job *job, const struct quant_item *item);
/* Bytes of the item in the output, without padding. */
uint64_t job_item_bytes(const struct job *job, const struct quant_item *item);
/* Importance matters where values are rounded to few levels. */
bool job_takes_importance(const struct job *job, const struct quant_item *item);

/* ---- Sums over tensors (sum.c) ---------------------------------------------------------- */

struct sum {
    uint64_t tensors, parameters, bytes_in, bytes_out;
    double error, energy;
};
double sum_bits(const struct sum *sum); /* per weight */
double sum_rmse(const struct sum *sum);
struct sum sum_of_type(const struct job *job, uint32_t type);
struct sum sum_of_all(const struct job *job);

/* The converted tensors that differ in nothing but the number of their block. */
struct group {
    struct gguf_str name; /* "ffn_down" */
    size_t first;         /* item */
    struct sum sum;
    char types[96]; /* "Q4_K, Q6_K" */
};
/* In the order of the output; for the caller to free. */
struct group *groups_make(const struct job *job, size_t *count);

const char *type_name(uint32_t type);
bool was_converted(const struct job *job, const struct quant_item *item);

#endif
