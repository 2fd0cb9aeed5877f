/* What the files of gguf-size share: a question from the command line to the answer. */
#ifndef TOOLS_GGUF_SIZE_H
#define TOOLS_GGUF_SIZE_H

#include "model/model.h"
#include "quant/quant.h"
#include "tools/common/cli.h"
#include "tools/common/hardware.h"
#include "tools/common/header.h"
#include "tools/common/json.h"
#include "tools/common/term.h"

/* ---- The question ---------------------------------------------------------------- */

#define MAX_GPUS 16

/* The shape of a model without a file; 0: not given. */
struct shape {
    double parameters;
    uint32_t layers, heads, kv_heads, embedding, feed_forward, vocab, head_length;
    uint32_t experts, experts_used, context;
};

enum flash { FLASH_AUTO, FLASH_ON, FLASH_OFF };

struct request {
    const char *input;     /* a file or an address; NULL: a shape */
    const char *projector; /* multimodal projector file, or NULL */
    struct shape shape;

    const char *gpus[MAX_GPUS];
    size_t n_gpus;
    bool no_gpu;          /* --gpu none */
    uint64_t ram;         /* bytes; 0: this machine's */
    const char *cpu;      /* a row of the table, or NULL */
    double cpu_bandwidth; /* bytes per second; 0: guessed or measured */
    bool measure;
    const char *hardware; /* a table of the user's, or NULL */

    struct memory_run run; /* context 0: 8192, or what the model was trained for */
    enum flash flash;
    bool layers_given;
    uint32_t gpu_layers;
    double split[MAX_GPUS];
    size_t n_split;
    bool cpu_moe, no_mmap;
    const struct quant_mix *mix; /* --type: the model as this mix, or NULL */

    bool quants, json, devices, force;
    const char *report;
    bool table;         /* --table: `params` is a list */
    const char *params; /* as given */
    bool train;
    struct training_settings training;
};

/* ---- The machine (machine.c) --------------------------------------------------- */

struct device {
    struct hardware hardware;
    uint64_t memory;              /* that there is */
    uint64_t taken;               /* by others, as far as is known */
    struct memory_range overhead; /* of the runtime, beside the buffers */
};

struct machine {
    struct device gpus[MAX_GPUS];
    size_t n_gpus;
    struct device cpu;
    uint32_t cores;
    bool unified;                 /* the GPU uses the RAM */
    bool detected;                /* this machine, not a named one */
    double link_bandwidth;        /* RAM to GPU, bytes per second */
    const char *bandwidth_source; /* of the RAM: "given", "measured", "guessed" ... */
};

/* The machine of the request: named devices, otherwise those found here. */
void machine_make(struct machine *machine, const struct request *request,
                  const struct hardware_table *table);
/* What the system says of GPUs (detect.c): names and memory. Returns how many. */
struct found_gpu {
    char name[96];
    uint64_t memory, used;
};
size_t detect_gpus(struct found_gpu *found, size_t most);
uint64_t detect_ram(uint64_t *available);
/* Bytes per second that reading RAM reaches, in less than a second. */
double measure_bandwidth(void);

/* ---- The model (subject.c, shape.c, remote.c) ------------------------------------------- */

struct subject {
    char name[256];
    struct gguf *model, *projector;
    struct header *header; /* of a shape */
    struct model_hparams h;
    bool remote, shape_only;
    uint64_t file_bytes; /* of the files as they are; 0 for a shape */
};

/* Any trouble is a message and exit 2. */
void subject_open(struct subject *subject, const struct request *request);
void subject_close(struct subject *subject);
/* A header in memory of a model of this shape; its hyperparameters contradict nothing. */
struct header *shape_header(const struct shape *shape, uint32_t type);
/* Opens the header of a file that is elsewhere; any trouble is a message and exit 2. */
bool remote_is(const char *input);
struct gguf *remote_open(const char *input, uint64_t *file_bytes);

/* ---- Weights (weights.c) ---------------------------------------------------------------- */

/* Bytes of the tensors, by where they are used. */
struct layer_weights {
    uint64_t bytes;   /* all of the layer */
    uint64_t experts; /* of these, the experts' matrices */
    uint64_t elements, expert_elements;
    uint64_t largest;        /* tensor */
    uint64_t largest_expert; /* tensor */
};
struct weights {
    struct layer_weights layer[MODEL_MAX_LAYERS];
    uint64_t input;  /* embeddings, looked up: stay in RAM */
    uint64_t output; /* output matrix and norm; a tied one is a copy */
    uint64_t output_elements;
    uint64_t tied;      /* of `output`: the embeddings once more; 0 where it is apart */
    uint64_t projector; /* of a multimodal projector */
    uint64_t total;     /* bytes of all tensors of the model, each once */
    uint64_t elements;
    double active_share; /* experts used / experts */
};

/* `choices`: the types of a mix, or NULL for those that the tensors have. */
void weights_collect(struct weights *w, const struct subject *subject,
                     const struct quant_choice *choices);
/* Parameters that take part in one token. */
double weights_active(const struct weights *w, const struct subject *subject);

/* All that an answer follows from. */
struct situation {
    const struct request *request;
    const struct machine *machine;
    const struct subject *subject;
    const struct weights *weights;
};

/* ---- The answer (plan.c) ---------------------------------------------------------------- */

enum verdict { VERDICT_GPU, VERDICT_PARTIAL, VERDICT_RAM, VERDICT_NO };

/* What lies on one device. */
struct plan_device {
    const struct device *device;
    uint64_t weights, kv, recurrent, output;
    struct memory_range compute, overhead;
    uint64_t low, expected, high; /* sums */
    uint64_t capacity;
    uint32_t layers;
    uint64_t active;     /* weights read for a token */
    double parameters;   /* that take part */
    uint64_t staged;     /* brought from RAM for a batch */
    uint64_t cell_bytes; /* KV bytes read a token of depth */
};

struct plan {
    struct plan_device devices[MAX_GPUS + 1]; /* GPUs, then the CPU */
    size_t n_devices;
    struct memory_run run;
    uint32_t gpu_layers; /* 0 to layers + 1; with layers + 1 the output is there too */
    enum verdict verdict;
    uint64_t short_bytes; /* what is missing, over all devices */
    uint64_t max_context; /* with the same layers on the GPU; 0: none fits */
    struct speed_range generate, generate_full, prompt;
};

void plan_make(struct plan *plan, const struct situation *s);

/* The parts of a device's memory, in the order of tables and bars. */
enum { PLAN_PARTS = 6 };
extern const char *const plan_part_names[PLAN_PARTS];
void plan_parts(const struct plan_device *d, uint64_t parts[PLAN_PARTS]);
/* Without a layer on it, a GPU is not used. */
bool plan_uses(const struct plan *plan, size_t device);
/* Weights in RAM that are pages of a mapped file: the system can take them back. */
uint64_t plan_reclaimable(const struct situation *s, const struct plan *plan, size_t device);
/* Expected bytes on all devices that are used. */
uint64_t plan_total(const struct plan *plan);
int64_t plan_free(const struct plan_device *d);
/* "fits with 28 layers on the GPU". */
void plan_verdict(char *out, size_t size, const struct plan *plan, const struct subject *s);
/* A network of which the kinds of layers are known. */
bool plan_knows(const struct subject *subject);

/* ---- Quantizations (quants.c, quality.c) -------------------------------------------- */

/* What a mix typically costs: published, see quality.c. */
struct quality {
    const char *mix;
    double divergence; /* mean Kullback-Leibler divergence from F16 */
    double perplexity; /* growth, 0.03 is 3 % */
};
/* Above this divergence a smaller model with more bits is better. */
#define QUALITY_LIMIT 0.15 /* between Q3_K_M and Q3_K_S; arXiv:2212.09720 */

struct quant_row {
    const struct quant_mix *mix;
    uint64_t file_bytes, total_bytes;
    double bits;
    struct plan plan;
    const struct quality *quality;
    bool recommended;
};
struct quant_table {
    struct quant_row *rows;
    size_t n;
    const struct quant_row *best; /* or NULL */
    char reason[256];
};
/* The weights as a mix would make them; returns the bytes of its file. */
uint64_t mix_weights(struct weights *w, const struct subject *subject,
                     const struct quant_mix *mix);
void quants_make(struct quant_table *table, const struct situation *s);
void quants_free(struct quant_table *table);

/* ---- Output ----------------------------------------------------------------------------- */

void report_text(const struct situation *s, const struct plan *plan,
                 const struct quant_table *quants, const struct cli *cli);
void report_json(const struct situation *s, const struct plan *plan,
                 const struct quant_table *quants);
/* One self-contained file, request->report; trouble is a message and exit 2. */
void report_html(const struct situation *s, const struct plan *plan,
                 const struct quant_table *quants);
/* "about 46.9 tokens/s (37.6 to 56.3)". */
struct term_text speed_text(struct speed_range r);
/* The command of llama.cpp, "llama-cli -m ...". */
void plan_command(char *out, size_t size, const struct situation *s, const struct plan *plan);
/* The lines of an Ollama Modelfile. */
void plan_modelfile(char *out, size_t size, const struct situation *s, const struct plan *plan,
                    const char *separator);

/* The questions that the command line may ask (options.c). */
void request_parse(struct request *request, struct cli *cli);
extern const struct cli_program size_program;

/* --table: sizes for counts of parameters, "7B,14B". */
void table_report(const struct request *request);
/* "7B", "1.5b", "270M". */
double parse_parameters(const char *option, const char *value);

/* --train: the exit code. */
int train_report(const struct situation *s);

#endif
