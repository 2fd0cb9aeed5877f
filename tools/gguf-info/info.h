/*
 * gguf-info: looks at GGUF files. One file of code per section of the output; each section
 * has a function that prints it and one that adds it to the JSON object of the file.
 */
#ifndef TOOLS_GGUF_INFO_INFO_H
#define TOOLS_GGUF_INFO_INFO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "libgguf/gguf.h"
#include "tools/common/cli.h"
#include "tools/common/json.h"
#include "tools/common/term.h"

/* ---- What was asked for ------------------------------------------------------------- */

enum section_bit {
    SHOW_SUMMARY = 1,
    SHOW_TOKENIZER = 2,
    SHOW_METADATA = 4,
    SHOW_TENSORS = 8,
    SHOW_LAYOUT = 16,
    SHOW_VALUES = 32,
    SHOW_STATS = 64,
    SHOW_TEMPLATE = 128,
    SHOW_VERIFY = 256
};

enum sort_key {
    SORT_FILE, /* the order of the file */
    SORT_OFFSET,
    SORT_NAME,
    SORT_SIZE,
    SORT_TYPE,
    SORT_PARAMS
};

struct filter;

struct request {
    unsigned sections; /* of enum section_bit */
    bool json, full, color, quiet;
    enum sort_key sort;
    struct filter *keys; /* NULL lets everything through; so with names */
    struct filter *names;
    const char **values; /* arguments of --values */
    size_t n_values;
    int threads;
    enum quant_cpu cpu;
};

/* One file under way. */
struct info {
    const struct request *request;
    const char *path;
    struct gguf *model;
    int code; /* exit code so far; see info_worse */
};

/* Raises the exit code of the file to `code` if that is worse. */
void info_worse(struct info *info, int code);

/* " (at byte 24)", or nothing where the message says it, or it concerns the whole file. */
void info_place(const struct gguf_error *err, char *out, size_t size);

/* ---- Problems of an open file (problems.c) -------------------------------------------- */

/* Those of gguf_problem_at, but one alone for a file that is cut short. */
struct problems {
    struct gguf_error *list;
    size_t count;
    size_t more; /* that were not kept */
};
struct problems problems_new(const struct gguf *model);
void problems_free(struct problems *problems);

/* ---- Filters (filter.c) --------------------------------------------------------------- */

/* Compiles a PCRE2 pattern; one that does not compile ends the program. */
struct filter *filter_new(const char *option, const char *pattern);
void filter_free(struct filter *filter);
bool filter_match(const struct filter *filter, struct gguf_str text);

/* ---- Text of single things (text.c) ------------------------------------------------------ */

struct text_type {
    char text[32];
};
/* "Q4_K", or "unknown(77)". */
struct text_type text_type(uint32_t type);
/* "u32", "string[512]". */
struct text_type text_value_type(struct gguf_value value);

struct text_number {
    char text[40];
};
/* The shortest digits that read back as the same double, or the same float if `single`;
 * "NaN", "Infinity", "-Infinity". */
struct text_number text_number(double value, bool single);

struct text_shape {
    char text[112];
};
/* "[4096, 32000]", innermost first. */
struct text_shape text_shape(const struct gguf_tensor *tensor);

/* Prints a metadata value: strings in quotes, arrays in brackets. Unless `full`, long
 * strings and arrays are cut and end in "...". */
void text_value(FILE *stream, struct gguf_value value, bool full);
/* The same, shortened, as a string to free. */
char *text_value_new(struct gguf_value value);

/* "1 tensor", "3 tensors". */
struct text_shape text_plural(uint64_t count, const char *noun);

/* a + b, at most UINT64_MAX / 2: totals of what files claim. */
uint64_t add_saturated(uint64_t a, uint64_t b);

/* ---- Tensors (tensors.c) --------------------------------------------------------- */

/* The tensors that pass --names, in the order of --sort. */
struct selection {
    const struct gguf_tensor **tensors;
    size_t count;
};
struct selection selection_new(const struct gguf *model, const struct request *request);
void selection_free(struct selection *selection);

void tensors_print(struct info *info);
void tensors_json(struct info *info, cJSON *json);

/* ---- Tokenizer facts (tokenizer.c) ----------------------------------------------- */

/* Entries of tokenizer.ggml.tokens, whatever their type; 0 without. */
uint64_t tokenizer_size(const struct gguf *model);
/* "byte-level BPE" for "gpt2"; NULL for a model that is not known. */
const char *tokenizer_meaning(struct gguf_str model);
void tokenizer_print(struct info *info);
void tokenizer_json(struct info *info, cJSON *json);

/* ---- Chat templates (template.c) ------------------------------------------------- */

struct chat_template {
    struct gguf_str name; /* "default" for tokenizer.chat_template itself */
    struct gguf_str text;
};
/* The next template from key *at on, which moves behind it; false if there is none. */
bool template_next(const struct gguf *model, size_t *at, struct chat_template *out);
void template_print(struct info *info);
void template_json(struct info *info, cJSON *json);

/* ---- Reading tensor data (scan.c) ------------------------------------------------ */

/* A run of whole blocks of one tensor, at most SCAN_ELEMENTS elements. */
#define SCAN_ELEMENTS 65536u
struct scan_part {
    const struct gguf_tensor *tensor;
    size_t index;   /* of the tensor in the list */
    uint64_t first; /* element */
    size_t elements;
    size_t bytes;
    const void *raw;      /* stored blocks */
    const double *values; /* decoded, if the scan decodes */
};

/* Walks tensors part by part: `work` runs in parallel and fills `result` (zeroed,
 * `result_size` bytes), `merge` is called by one thread in the order of the file, so that
 * the outcome does not depend on the number of threads. */
struct scan {
    const struct gguf *model;
    struct selection selection;
    int threads;
    enum quant_cpu cpu;
    bool decode, quiet;
    size_t result_size;
    void (*work)(const struct scan_part *part, void *result);
    void (*merge)(const struct scan_part *part, const void *result, void *user);
    void *user;
};
enum gguf_status scan_run(const struct scan *scan, struct gguf_error *err);

/* A tensor whose values can be decoded. */
bool scan_can_decode(const struct gguf_tensor *tensor);

/* Decodes `n` elements of whole blocks into doubles; `floats` is room for `n`. */
void scan_decode(const struct quant_format *format, const void *raw, size_t n, float *floats,
                 double *values);

/* ---- Statistics (stats.c) -------------------------------------------------------- */

struct tensor_stats {
    uint64_t count, nan, inf, zeros;
    uint64_t finite;
    double min, max, mean; /* of the finite values */
    double squares;        /* sum of squared distances from the mean */
};

/* One entry for each tensor of the selection, to free; NULL after an error, which is
 * reported. */
struct tensor_stats *stats_compute(struct info *info, struct selection selection);
void stats_print(struct info *info);
void stats_json(cJSON *tensor, const struct tensor_stats *stats);

/* ---- The other sections ---------------------------------------------------------- */

void summary_print(struct info *info);
void summary_json(struct info *info, cJSON *json);
void metadata_print(struct info *info);
void metadata_json(struct info *info, cJSON *json);
void layout_print(struct info *info);
void layout_json(struct info *info, cJSON *json);
void values_print(struct info *info);
void values_json(struct info *info, cJSON *json);

/* ---- Verification (verify.c, verify_*.c) ----------------------------------------- */

struct verify;

/* Notes a finding about `where` (a tensor, key or layer; may be empty). Strings of the file
 * go into the text through gguf_str_escape. */
void verify_problem(struct verify *verify, struct gguf_str where, const char *format, ...)
    CLI_PRINTF(3, 4);
void verify_warning(struct verify *verify, struct gguf_str where, const char *format, ...)
    CLI_PRINTF(3, 4);

void verify_metadata(struct verify *verify, const struct gguf *model);
void verify_layers(struct verify *verify, const struct gguf *model);
void verify_architecture(struct verify *verify, const struct gguf *model);

/* What the file holds: a model (not an adapter, projector or importance matrix), and one
 * that is made of attention and feed-forward layers alone. */
bool verify_is_model(const struct gguf *model);
bool verify_is_transformer(const struct gguf *model);

/* Reads all tensor data; adds what was read to `bytes`. */
enum gguf_status verify_data(struct verify *verify, const struct info *info, uint64_t *bytes,
                             struct gguf_error *err);

void verify_print(struct info *info);
void verify_json(struct info *info, cJSON *json);
/* The verdict on a file that cannot be opened. */
void verify_print_failure(const struct gguf_error *err);
void verify_json_failure(const struct gguf_error *err, cJSON *json);

#endif
