/* What the files of gguf-eval share. */
#ifndef TOOLS_GGUF_EVAL_EVAL_H
#define TOOLS_GGUF_EVAL_EVAL_H

#include "model/metrics.h"
#include "model/model.h"
#include "model/tokenizer.h"
#include "tools/common/cli.h"
#include "tools/common/json.h"
#include "tools/common/term.h"
#include "tools/common/text.h"

#define MAX_OPTIONS 32

/* What the command line asks for. */
struct request {
    char **files; /* the base first */
    int n_files;
    const char *text;   /* -f */
    const char *tokens; /* --tokens */
    const char *logits, *imatrix, *report, *sweep, *prompt, *choices;
    uint64_t chunk;  /* 0: what is usual, or the context of the model where that is shorter */
    uint64_t chunks; /* 0: all */
    uint64_t stride; /* 0: chunks that do not overlap, scored from their middle on */
    double until_error; /* share of the perplexity; 0: the whole text */
    uint64_t length;    /* -n */
    double temperature; /* 0: greedy */
    uint64_t seed;
    enum model_activations activations;
    enum quant_cpu cpu;
    int threads;
    bool tokenize, specials, recall, json, quiet, verbose, no_color;
    bool given[MAX_OPTIONS]; /* by the number of the option */
};

/* ---- Output files (output.c) ---------------------------------------------------- */

struct output {
    const char *path;
    FILE *file;
};
/* Dies if the path is an input, which would be lost, or cannot be written. */
void output_open(struct output *output, const char *path, const struct request *r);
void output_failed(const struct output *output) CLI_NORETURN; /* with errno */
/* The file gets its name here. */
void output_close(struct output *output);

/* ---- Models (subject.c) --------------------------------------------------------- */

/* A model that is evaluated. */
struct subject {
    const char *name; /* of the file, or of the mix of a sweep */
    char label[128];  /* the same as text that can be printed */
    bool is_sweep;
    struct gguf *gguf; /* borrowed from the base in a sweep */
    struct model *model;
    struct model_context *context;
    uint64_t bytes;   /* of the files */
    uint64_t weights; /* parameters */
    uint64_t weight_bytes;
    double *tensor_rmse; /* relative, by tensor of the base; NULL where not worked out */
    struct metrics metrics;
    struct metrics_summary summary;
    uint64_t tokens; /* evaluated */
    double seconds;
};

struct subjects {
    struct subject *list; /* the base first */
    size_t count;
    struct tokenizer *tokenizer; /* of the base; NULL where it has no vocabulary */
    size_t vocab;                /* columns of the logits */
    struct sweep *sweep;         /* NULL without --sweep */
};

/* Opens all files and checks that they share a vocabulary: a message and exit 2 otherwise. */
void subjects_open(struct subjects *subjects, const struct request *r);
void subjects_close(struct subjects *subjects);
/* Gives every model a context of `n_ctx` positions. */
void subjects_contexts(struct subjects *subjects, uint32_t n_ctx);
void subject_name(struct subject *subject, const char *name);
double subject_bpw(const struct subject *subject);

/* Evaluates `n` tokens from position `from` on (what came later is forgotten) and keeps the
 * hidden states of the tokens with wanted[i]; NULL: of all. Counts tokens and time. */
void subject_eval(struct subject *subject, const uint32_t *tokens, size_t n, uint32_t from,
                  const bool *wanted);
/* Logits of wanted tokens [first, first + n): [n][vocab]. */
void subject_logits(struct subject *subject, size_t first, size_t n, float *logits);

/* ---- Sweep (sweep.c) ------------------------------------------------------------ */

/* Adds a subject for each mix of the comma-separated list, quantized in memory. */
void sweep_open(struct subjects *subjects, const struct request *r);
void sweep_close(struct sweep *sweep);

/* ---- Measuring (measure.c) ------------------------------------------------------ */

struct measurement {
    struct token_list tokens;
    struct text text;
    uint32_t chunk, stride;
    size_t windows_total, windows; /* of the text, and evaluated */
    size_t scored;                 /* positions */
    uint64_t scored_bytes;         /* of the text of the scored tokens */
    bool stopped_early;            /* by --until-error */
};
/* Runs the text through all models. */
void measure(struct measurement *m, struct subjects *subjects, const struct request *r);
/* Dies if the network has no logits for an id of `source`. */
void check_ids(const struct token_list *list, const struct subjects *subjects,
               const char *source);
void measurement_free(struct measurement *m);
/* log2 of the inverse probability of the text by its bytes; 0 where bytes are not known. */
double bits_per_byte(const struct measurement *m, const struct subject *subject);

/* ---- Reports (report.c, report_json.c, report_html.c) --------------------------- */

void report_text(const struct measurement *m, const struct subjects *s,
                 const struct request *r);
void report_json(const struct measurement *m, const struct subjects *s,
                 const struct request *r);
void report_html(FILE *out, const struct measurement *m, struct subjects *s,
                 const struct request *r);
/* Perplexity and divergence against size in characters (plot.c). */
void report_plots(const struct subjects *s);
/* Works out tensor_rmse of a model: its weights against the base's (weights.c). */
void subject_weight_errors(struct subject *s, const struct subject *base);
const char *activations_name(const struct request *r);

/* ---- What else can be asked --------------------------------------------------------- */

void run_tokenize(const struct request *r);
void run_logits(const struct request *r);
void run_prompt(const struct request *r);
void run_choices(const struct request *r);
void run_recall(const struct request *r);

#endif
