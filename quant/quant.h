/*
 * quant: the block formats of GGUF tensors. Decoding, encoding, the choice of a type
 * for every tensor (recipes), importance matrices, and the pipeline that quantizes a
 * whole model. The conventions of libgguf/gguf.h hold here too.
 */
#ifndef QUANT_H
#define QUANT_H

#include "libgguf/gguf.h"

#ifdef __cplusplus
extern "C" {
#endif
#if defined(__GNUC__) /* the library hides everything else */
#pragma GCC visibility push(default)
#endif

/* ---- Blocks ------------------------------------------------------------------ */

/* Decodes blocks to floats: `n` elements, a whole number of blocks. `blocks` is aligned to 4
 * bytes (2 suffice but for Q8_K), here and below. */
typedef void (*quant_decode_fn)(const void *restrict blocks, float *restrict out, size_t n);

/*
 * Encodes one row of `n` floats, a whole number of blocks. `importance` holds `n` weights
 * >= 0, or is NULL. `x` must be finite. The bytes depend on the arguments alone.
 */
typedef void (*quant_encode_fn)(const float *restrict x, void *restrict blocks, size_t n,
                                const float *restrict importance);

/* One row of the table of formats. Elements and bytes of a block are in gguf_type_find. */
struct quant_format {
    uint32_t type;
    quant_decode_fn decode;
    quant_encode_fn encode; /* the default preset; NULL where there is no encoder */
    quant_encode_fn encode_fast, encode_best;
    bool needs_importance; /* too few bits to be usable without weights */
};

/* How much time the encoders spend on a smaller error. */
enum quant_preset {
    /* Less error than llama-quantize, several times faster. (IQ4_NL and IQ4_XS without
     * importance minimise the plain error; see docs/benchmarks.md.) */
    QUANT_PRESET_DEFAULT,
    QUANT_PRESET_FAST, /* no more error than llama-quantize, as fast as possible */
    QUANT_PRESET_BEST  /* the least error that a wide search finds */
};

/* "default", "fast", "best"; NULL for another value. */
const char *quant_preset_name(enum quant_preset preset);
/* The preset of this name, case ignored; false for an unknown name. */
bool quant_preset_find(const char *name, enum quant_preset *preset);

/* Levels of the processor for which there are kernels. All give the same bytes. */
enum quant_cpu {
    QUANT_CPU_SCALAR, /* C alone, the specification of the others; on every machine */
    QUANT_CPU_AVX2,   /* x86-64 with AVX2, FMA and F16C */
    QUANT_CPU_AVX512, /* x86-64 with AVX-512 F, BW, DQ and VL besides */
    QUANT_CPU_NEON    /* AArch64 */
};

/* "scalar", "avx2", "avx512", "neon"; NULL for another value. */
const char *quant_cpu_name(enum quant_cpu cpu);
/* The level of this name, case ignored; false for an unknown name. */
bool quant_cpu_find(const char *name, enum quant_cpu *cpu);
/* Whether this machine runs the level's kernels. */
bool quant_cpu_runs(enum quant_cpu cpu);
/* The highest level that this machine runs. */
enum quant_cpu quant_cpu_best(void);

/* The row of a type with the kernels of the best level; NULL where the type cannot be
 * decoded. */
const struct quant_format *quant_format_find(uint32_t type);
/* The same with the kernels of a given level; NULL also where this machine cannot run it. */
const struct quant_format *quant_format_at(uint32_t type, enum quant_cpu cpu);
/* The encoder of a preset; NULL where the type has none. */
quant_encode_fn quant_encoder(const struct quant_format *format, enum quant_preset preset);

/* Checks that the values of encoded blocks are finite by looking at the scales only:
 * index of the first block with a NaN or infinite scale, or SIZE_MAX. For F32, F16,
 * BF16 and F64 a block is an element. */
size_t quant_find_invalid(uint32_t type, const void *blocks, size_t n_blocks);

/* ---- Mixes ------------------------------------------------------------------------ */

#define QUANT_TYPE_NONE UINT32_MAX

/* A name that a user gives ("Q4_K_M"), and what it stands for. */
struct quant_mix {
    const char *name;
    const char *alias;     /* a second name ("Q4_K"), or NULL */
    uint32_t file_type;    /* general.file_type; QUANT_TYPE_NONE (COPY): the source's */
    uint32_t base;         /* type of most tensors; QUANT_TYPE_NONE: not one of today's */
    bool can_encode;       /* false: known by name alone, cannot be made here */
    bool wants_importance; /* can be made, but is of little use without */
    const char *summary;   /* one line for people */
};

/* By position: those that can be made come first. NULL past the end. */
const struct quant_mix *quant_mix_at(size_t index);
/* By name or alias, case ignored. NULL if there is none. */
const struct quant_mix *quant_mix_by_name(const char *name);
/* By general.file_type. NULL if there is none. Forks reuse ids: take it as a hint. */
const struct quant_mix *quant_mix_by_file_type(uint64_t file_type);

/* ---- Recipes ------------------------------------------------------------------------- */

/* --tensor-type: tensors in whose name the pattern is found get this type. The pattern
 * is a Perl-compatible regular expression, searched (not anchored), case ignored. */
struct quant_override {
    const char *pattern;
    uint32_t type;
};

struct quant_recipe {
    const struct quant_mix *mix;
    bool pure;         /* the base type everywhere */
    bool leave_output; /* output.weight keeps its type */
    bool has_imatrix;
    uint32_t output_type;                   /* --output-tensor-type, or QUANT_TYPE_NONE */
    uint32_t embedding_type;                /* --token-embedding-type, or QUANT_TYPE_NONE */
    const struct quant_override *overrides; /* first match wins */
    size_t n_overrides;
};

enum quant_reason {
    QUANT_KEPT,       /* not a tensor that is quantized, or already of the type */
    QUANT_MIXED,      /* what the mix says */
    QUANT_OVERRIDDEN, /* an option said so */
    QUANT_FALLBACK    /* the row length does not divide into blocks of `wanted`; `type`
                       * may then be the type that the tensor has */
};

struct quant_choice {
    uint32_t tensor; /* index in the model */
    uint32_t type;   /* the type to store */
    uint32_t wanted; /* before a fallback; otherwise equal to `type` */
    enum quant_reason reason;
};

/*
 * Chooses the type of every tensor, by the rules that llama-quantize has in 2026 (see
 * docs/recipes.md). `choices` has room for gguf_tensor_count entries and is filled in
 * the order of the output: tensors outside blk. first, then by block number, names
 * bytewise (keep_order: the model's own order; the mix is counted in recipe order all
 * the same). Reads no tensor data. A tensor whose source is quantized already is
 * treated like any other: whether it may be requantized is the caller's decision.
 * Errors: GGUF_ERR_ARGUMENT (a bad pattern), GGUF_ERR_MEMORY.
 */
enum gguf_status quant_recipe_apply(const struct gguf *model, const struct quant_recipe *recipe,
                                    bool keep_order, struct quant_choice *choices,
                                    struct gguf_error *err);

/* ---- What a recipe makes ------------------------------------------------------------ */

/* Gives an output its metadata: the model's, with general.quantization_version and
 * general.file_type as gguf-quant sets them. Errors: those of the writer. */
enum gguf_status quant_declare_metadata(struct gguf_writer *writer, const struct gguf *model,
                                        const struct quant_mix *mix, struct gguf_error *err);

/* Declares the next tensor of an output; `shard` as in gguf_writer_add_tensor. */
enum gguf_status quant_declare_tensor(struct gguf_writer *writer, const struct gguf *model,
                                      const struct quant_choice *choice, uint32_t shard,
                                      struct gguf_error *err);

/*
 * Bytes of the file that a recipe makes, header and padding included, without making it:
 * what gguf-quant writes with the same options and without an importance matrix. `choices`
 * has room for gguf_tensor_count entries and is filled as by quant_recipe_apply. Reads no
 * tensor data. Errors: those of quant_recipe_apply and of the writer.
 */
enum gguf_status quant_output_bytes(const struct gguf *model, const struct quant_recipe *recipe,
                                    struct quant_choice *choices, uint64_t *bytes,
                                    struct gguf_error *err);

/* ---- Importance matrices ---------------------------------------------------------------- */

/*
 * Mean squared activation of each input column, of each expert.
 *
 * The legacy form stores columns * experts values and does not say how they divide, nor does
 * the GGUF form where all experts have one count: it is read as experts == 1 and columns == all
 * of them, with `divided` false. The tensor knows the split: use quant_importance_fits and
 * quant_importance_row.
 */
struct quant_importance {
    struct gguf_str name; /* of the tensor */
    uint64_t columns;     /* ne[0] of the tensor */
    uint64_t experts;     /* ne[2] * ne[3]; 1 for a matrix */
    bool divided;         /* columns and experts come from the file */
    const float *weights; /* [experts][columns], >= 0, finite */
    /* Where they come from: weight = sum / count. NULL where somebody else made them. */
    const float *sums;   /* [experts][columns]: of squares; legacy: of means of chunks */
    const float *counts; /* [experts]: rows; legacy: chunks */
};

/* Whether there is exactly one weight for each column of each matrix of the tensor. */
bool quant_importance_fits(const struct quant_importance *importance,
                           const struct gguf_tensor *tensor);

/* The `columns` weights of one expert (0 for a matrix); NULL where the sizes do not
 * fit or `importance` is NULL. */
const float *quant_importance_row(const struct quant_importance *importance, uint64_t columns,
                                  uint64_t expert);

struct quant_imatrix;

/*
 * Reads both file forms: GGUF (in_sum2 and counts) and the legacy .dat. Where nothing
 * was counted (an expert that no token reached) every weight is 1. On failure *out is
 * NULL. Errors: those of gguf_open; GGUF_ERR_UNSUPPORTED (a GGUF file of another kind),
 * GGUF_ERR_TRUNCATED, GGUF_ERR_CORRUPT, GGUF_ERR_DATA (negative, NaN or infinite values).
 */
enum gguf_status quant_imatrix_open(struct quant_imatrix **out, const char *path,
                                    struct gguf_error *err);
void quant_imatrix_close(struct quant_imatrix *imatrix);

/* Entries in file order; NULL past the end. */
size_t quant_imatrix_count(const struct quant_imatrix *imatrix);
const struct quant_importance *quant_imatrix_at(const struct quant_imatrix *imatrix,
                                                size_t index);
/* By the name of the tensor; NULL if there is none. */
const struct quant_importance *quant_imatrix_find(const struct quant_imatrix *imatrix,
                                                  struct gguf_str name);

/* What a file says of the runs that made it. */
struct quant_origin {
    const struct gguf_str *datasets; /* names of the texts, in the order of the runs */
    size_t n_datasets;
    uint32_t chunk;  /* tokens of a chunk; 0: the file does not say */
    uint64_t chunks; /* in all; the writer works it out itself */
    bool is_legacy;
    /* To go on with the run later; empty and 0 in other programs' files and in legacy ones. */
    struct gguf_str text, model; /* fingerprints */
    uint32_t done;               /* chunks of the text that are counted */
};

/* Valid until the matrix is closed. */
const struct quant_origin *quant_imatrix_origin(const struct quant_imatrix *imatrix);

/* The first text and the chunks; empty and 0 where the file does not say. */
struct gguf_str quant_imatrix_dataset(const struct quant_imatrix *imatrix);
uint64_t quant_imatrix_chunks(const struct quant_imatrix *imatrix);

/* ---- Making importance matrices ----------------------------------------------------- */

/* Sums of squared activations, by tensor: what the files are made of. */
struct quant_tally;

/* Of one tensor. Sums and counts may be added to. */
struct quant_squares {
    struct gguf_str name;
    uint64_t columns; /* ne[0] */
    uint64_t experts; /* 1: all matrices of the tensor have one count */
    float *sums;      /* [experts][columns] */
    float *counts;    /* [experts]: rows of activations that were added up */
};

enum gguf_status quant_tally_new(struct quant_tally **out, struct gguf_error *err);
void quant_tally_free(struct quant_tally *tally);

/* Entries in the bytewise order of their names; NULL past the end. */
size_t quant_tally_count(const struct quant_tally *tally);
const struct quant_squares *quant_tally_at(const struct quant_tally *tally, size_t index);

/* Chunks of `chunk` tokens that were added up: by the largest count, as llama-imatrix does. */
uint64_t quant_tally_chunks(const struct quant_tally *tally, uint32_t chunk);

/*
 * The entry of a tensor, made with zeros where there is none. One whose experts had a single
 * count (a legacy file) is divided if `experts` says so; one that is divided already is handed
 * out as it is for experts == 1. Valid until the tally is freed. On failure *out is NULL.
 * Errors: GGUF_ERR_DATA (an entry with other sizes), GGUF_ERR_ARGUMENT (no columns),
 * GGUF_ERR_MEMORY.
 */
enum gguf_status quant_tally_entry(struct quant_tally *tally, struct gguf_str name,
                                   uint64_t columns, uint64_t experts,
                                   struct quant_squares **out, struct gguf_error *err);

/* Adds all entries of a file. The counts of a legacy one are chunks: of `chunk` tokens.
 * Errors: those of quant_tally_entry; GGUF_ERR_DATA (sums over the range of float). */
enum gguf_status quant_tally_merge(struct quant_tally *tally, const struct quant_imatrix *more,
                                   uint32_t chunk, struct gguf_error *err);

/* The same as a matrix in memory: what would be read from a GGUF file of it. */
enum gguf_status quant_imatrix_from_tally(struct quant_imatrix **out,
                                          const struct quant_tally *tally,
                                          const struct quant_origin *origin,
                                          struct gguf_error *err);

/*
 * Writes a file, complete or not at all, in place of an older one: the GGUF form, or the
 * legacy one (origin->is_legacy), which keeps means of whole chunks, leaves out tensors without
 * a count, and names the last text alone. Errors: GGUF_ERR_ARGUMENT (no entry, a chunk of 0
 * tokens), GGUF_ERR_UNSUPPORTED (a name or a number that the form cannot hold), those of the
 * writer.
 */
enum gguf_status quant_imatrix_write(const struct quant_tally *tally, const char *path,
                                     const struct quant_origin *origin, struct gguf_error *err);

/* ---- Quantizing a model --------------------------------------------------------------- */

/* What is done with one tensor of the output. */
struct quant_item {
    struct quant_choice choice;
    const struct quant_importance *importance; /* NULL: all columns count the same */
    /* Filled in by quant_run: */
    double error;    /* sum of (x - y)^2 over the tensor; 0 where the bytes were copied */
    double energy;   /* sum of x^2 */
    uint64_t digest; /* XXH3 of the stored bytes */
};

/* Relative root mean square error: sqrt(error / energy); 0 for a tensor of zeros. */
double quant_item_rmse(const struct quant_item *item);

struct quant_settings {
    bool requantize; /* take sources that are quantized already */
    int threads;     /* 0: as many as OpenMP gives */
    enum quant_preset preset;
    enum quant_cpu cpu; /* whose kernels: quant_cpu_best() unless somebody wants others */
    /* Called from the calling thread, now and then, with the bytes of tensors that are done
     * so far, more each time; false stops the work with GGUF_ERR_CANCELLED. May be NULL. */
    bool (*progress)(void *context, uint64_t done, struct gguf_str tensor);
    void *context;
};

/*
 * Whether the items can be made; reads no data. The first tensor that cannot is named.
 * Errors: GGUF_ERR_UNSUPPORTED (no decoder for the source, no encoder for the type, rows of
 * more than 2^24 elements, kernels that this machine cannot run), GGUF_ERR_ARGUMENT
 * (quantized already, and settings->requantize is false), GGUF_ERR_DATA (the importance, or a
 * row, does not fit).
 */
enum gguf_status quant_check(const struct gguf *model, const struct quant_item *items, size_t n,
                             const struct quant_settings *settings, struct gguf_error *err);

/*
 * Reads, converts and writes all tensors: items[i] becomes tensor i of `writer`, which has
 * begun and is not finished here. Memory is bounded by the threads and the longest row, not
 * by the model. The bytes and the errors do not depend on the threads nor on the processor.
 * Errors: those of quant_check, of reading and of writing; GGUF_ERR_DATA for NaN or
 * infinity in a source, with the tensor and the index of the element; GGUF_ERR_CANCELLED.
 * Of several the first one in the order of the items and their elements is told.
 */
enum gguf_status quant_run(const struct gguf *model, struct gguf_writer *writer,
                           struct quant_item *items, size_t n,
                           const struct quant_settings *settings, struct gguf_error *err);

/*
 * Between quant_run and gguf_writer_finish: opens the files that were written, under their
 * temporary names, and compares the bytes of every tensor with the digest that quant_run
 * took. Errors: those of gguf_open and of reading; GGUF_ERR_DATA where something differs;
 * GGUF_ERR_CANCELLED.
 */
enum gguf_status quant_verify(const struct gguf *model, const struct gguf_writer *writer,
                              const struct quant_item *items, size_t n,
                              const struct quant_settings *settings, struct gguf_error *err);

#if defined(__GNUC__)
#pragma GCC visibility pop
#endif
#ifdef __cplusplus
}
#endif
#endif
