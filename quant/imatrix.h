/* What the reader and the writer of importance matrices share. Inside quant/ only. */
#ifndef QUANT_IMATRIX_H
#define QUANT_IMATRIX_H

#include "quant/quant.h"

/* Keys of the GGUF form. */
#define QUANT_KEY_DATASETS "imatrix.datasets"
#define QUANT_KEY_CHUNKS   "imatrix.chunk_count"
#define QUANT_KEY_CHUNK    "imatrix.chunk_size"
/* Our own, to go on with a run. */
#define QUANT_KEY_TEXT  "ggufkit.imatrix.text"
#define QUANT_KEY_MODEL "ggufkit.imatrix.model"
#define QUANT_KEY_DONE  "ggufkit.imatrix.chunks_done"

#define QUANT_SUMS_SUFFIX   ".in_sum2"
#define QUANT_COUNTS_SUFFIX ".counts"

struct imatrix_entry {
    struct quant_importance row; /* its pointers are those below */
    char *name;
    float *weights; /* and behind them the sums and the counts */
};

struct quant_imatrix {
    struct imatrix_entry *entries;
    size_t count;
    const struct imatrix_entry **by_name; /* sorted */
    struct quant_origin origin;           /* its strings are in `texts` */
    struct gguf_str *datasets;
    char **texts;
    size_t n_texts;
};

/* Room for `count` entries. */
enum gguf_status imatrix_reserve(struct quant_imatrix *imatrix, size_t count,
                                 struct gguf_error *err);
/* Adds an entry with uninitialized values, for which there is room. Sizes come from a file,
 * but the caller has seen that the file is large enough to hold them. */
enum gguf_status imatrix_add(struct quant_imatrix *imatrix, struct gguf_str name,
                             uint64_t columns, uint64_t experts, struct gguf_error *err);
/* Where the values of a file go. */
float *imatrix_sums(const struct imatrix_entry *entry);
float *imatrix_counts(const struct imatrix_entry *entry);
/* Turns sums into means; where nothing was counted all columns weigh the same. */
enum gguf_status imatrix_means(const struct imatrix_entry *entry, struct gguf_error *err);
/* Keeps copies of what `origin` says. */
enum gguf_status imatrix_keep_origin(struct quant_imatrix *imatrix,
                                     const struct quant_origin *origin, struct gguf_error *err);

/* Reads both file forms (imatrix_read.c). */
enum gguf_status imatrix_read(struct quant_imatrix *imatrix, const char *path,
                              struct gguf_error *err);

#endif
