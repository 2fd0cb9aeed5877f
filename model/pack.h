/*
 * The input of a matrix product: rounded as the engines round it for the weights' type, and
 * laid out for the kernels. Inside model/ only.
 */
#ifndef MODEL_PACK_H
#define MODEL_PACK_H

#include "model/internal.h"

/* Inputs of up to this many rows are laid out one by one for kernels8->row. */
#define PACK_FEW_ROWS 2

enum model_rounding {
    ROUND_NONE,
    ROUND_F16,
    ROUND_BF16,
    ROUND_Q8_0, /* blocks of 32, scale in F16 */
    ROUND_Q8_1, /* likewise, and scale * sum in F16 */
    ROUND_Q8_K  /* blocks of 256, scale in F32 */
};

/* How an input is laid out: the same for products that can share it. */
struct pack_kind {
    enum model_rounding rounding;
    bool integers; /* for kernels8, otherwise floats for kernels */
    size_t mr;     /* rows of a group; integers: 1 for kernels8->row */
    unsigned sub;  /* integers: columns of a sub-block */
    int offset;    /* integers: of the levels, less what the kernel takes off itself */
};

/* Of an input with n rows. */
struct pack_kind pack_kind_of(const struct model *model, const struct model_weight *weight,
                              size_t n);
/* Whether the levels of a type take 8 bits. */
bool pack_wide(const struct model_weight *weight);
bool pack_same(const struct pack_kind *a, const struct pack_kind *b);

/* Bytes of a laid-out group of `columns` columns. */
size_t pack_group_bytes(const struct pack_kind *kind, size_t columns);

/* Where the parts of a group of integers are. */
struct pack_parts {
    int8_t *x;
    float *dx, *xs;
    int32_t *start;
};
struct pack_parts pack_parts_of(const struct pack_kind *kind, size_t columns, void *group);

/* An input of n rows. */
struct pack_input {
    const float *x; /* [n][columns] */
    size_t n, columns;
};

/* Lays out group `index` of the input at `out`. */
void pack_group(const struct model *model, const struct pack_kind *kind,
                const struct pack_input *in, size_t index, void *out);

#endif
