/* What the files of the pipeline share. */
#ifndef QUANT_PIPELINE_H
#define QUANT_PIPELINE_H

#include "quant/ordered.h"
#include "quant/quant.h"

/* The path of the file that holds a tensor, for messages. */
const char *quant_path_of(const struct gguf *model, const struct gguf_tensor *tensor);

/* ---- Units of work (pipeline_units.c) --------------------------------------------------- */

/*
 * A tensor on its way. Its pieces are rows or, where it is copied or read back, blocks; a unit
 * is a run of pieces that fits the second-level cache before and after. Units of all tensors
 * are numbered in one sequence.
 */
struct quant_stage {
    const struct gguf_tensor *tensor;
    size_t index; /* of the item, and of the tensor in the output */
    bool copies;
    uint64_t pieces, unit_pieces;        /* of the tensor, and of a unit */
    uint64_t source_bytes, target_bytes; /* of a piece before and after */
    uint64_t first_unit, bytes_before;   /* units, and bytes of sources, of earlier tensors */
};

/* Those of tensors that have elements. */
struct quant_stages {
    struct quant_stage *stage;
    size_t n;
    uint64_t units;
    uint64_t bytes;                  /* of sources, of these tensors and before them */
    uint64_t max_source, max_target; /* bytes of the largest unit */
    uint64_t max_row;                /* elements of the longest row that is converted */
};

/* Pieces `first` to `first + count` of a tensor. */
struct quant_unit {
    const struct quant_stage *stage;
    uint64_t first, count;
    bool begins, ends; /* the tensor */
};

/* `stages` has room for one more. `type` is the one that the tensor gets. */
enum gguf_status quant_stage_add(struct quant_stages *stages, const struct gguf *model,
                                 const struct gguf_tensor *tensor, uint32_t type, size_t index,
                                 struct gguf_error *err);

struct quant_unit quant_unit_at(const struct quant_stages *stages, uint64_t unit);

/* For struct ordered: reports the bytes of the first `retired` units. */
enum gguf_status quant_report_units(const struct quant_stages *stages,
                                    const struct quant_settings *settings, uint64_t retired,
                                    struct gguf_error *err);

/* Hints that the unit will be read soon. */
void quant_unit_prefetch(const struct quant_stages *stages, const struct gguf *model,
                         uint64_t unit);

#endif
