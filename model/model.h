/*
 * model: the network of a model file. Hyperparameters, tokenizers and a forward pass. The
 * conventions of libgguf/gguf.h hold here too.
 *
 *     struct model *model;                  weights, as they are stored
 *     struct model_context *context;        cache of keys and values, working memory
 *     model_open(&model, gguf, NULL, &err);
 *     model_context_new(&context, model, &shape, &err);
 *     model_eval(context, &batch, &err);    hidden states of the wanted tokens
 *     model_logits(context, 0, n, logits, &err);
 */
#ifndef MODEL_H
#define MODEL_H

#include "libgguf/gguf.h"
#include "model/hparams.h"
#include "model/memory.h"
#include "model/speed.h"
#include "model/training.h"
#include "quant/quant.h"

#ifdef __cplusplus
extern "C" {
#endif
#if defined(__GNUC__) /* the library hides everything else */
#pragma GCC visibility push(default)
#endif

/* ---- Architectures --------------------------------------------------------------- */

/* Name of an architecture that model_open takes, by position; NULL past the end. */
const char *model_architecture_at(size_t index);

/* ---- Model ----------------------------------------------------------------------- */

/* What the input of a matrix product is rounded to, and GELU in F16 or not. */
enum model_activations {
    /* What the engines do: Q8_0 or Q8_K blocks for quantized weights, F16 and BF16 for
     * weights of that type, nothing for F32. */
    MODEL_ACTIVATIONS_ENGINE,
    MODEL_ACTIVATIONS_F32 /* nothing */
};

/*
 * Called with the input of matrix products, for importance matrices: before the product of
 * tensor `name` with `rows` rows of `columns` activations, [rows][columns], not rounded.
 * `expert` is the index of the matrix in a tensor of experts (rows: the tokens that chose
 * it), otherwise 0. Called from the thread that evaluates, one tensor at a time. The
 * embedding of tokens is no product; a tied output is named token_embd.weight.
 * The feed-forward part of the last layer sees the wanted tokens of a batch alone, the output
 * those that model_logits is asked for.
 */
struct model_input {
    struct gguf_str name;
    uint32_t expert;
    uint32_t experts; /* of the tensor; 1 for a matrix */
    size_t rows;
    size_t columns;
    const float *data;
};
typedef void (*model_input_fn)(void *user, const struct model_input *input);

struct model_settings {
    enum model_activations activations;
    int threads;        /* 0: as many as OpenMP gives */
    bool has_cpu;       /* false: the best level of this machine */
    enum quant_cpu cpu; /* GGUF_ERR_ARGUMENT where the machine does not run it */
    bool half_cache;    /* keys and values rounded to half precision, as llama.cpp keeps them */
    model_input_fn input; /* may be NULL */
    void *input_user;
};

struct model;

/*
 * Finds and checks all tensors of the network. Weights stay as they are stored: in the
 * mapped file (GGUF_OPEN_MAP, or a model in memory; little-endian, tensors at a multiple of
 * 4 bytes), otherwise in a copy.
 * `gguf` is borrowed until model_close; `settings` may be NULL for zeros. On failure *out
 * is NULL. Errors: those of model_hparams_read and of reading tensors;
 * GGUF_ERR_UNSUPPORTED (an architecture without a forward pass, named with those that have
 * one; a tensor type without decoder), GGUF_ERR_CORRUPT (a tensor that is missing or has
 * another shape).
 */
enum gguf_status model_open(struct model **out, const struct gguf *gguf,
                            const struct model_settings *settings, struct gguf_error *err);
void model_close(struct model *model);

const struct model_hparams *model_hparams(const struct model *model);

/*
 * Uses other bytes for a tensor: the same shape, stored as `type`, `bytes` being
 * gguf_type_bytes of it, aligned to 4. They are borrowed until they are replaced again or the
 * model is closed. data NULL puts back the file's own. Not while a context evaluates. Errors:
 * GGUF_ERR_ARGUMENT (the network has no such tensor, or another size), GGUF_ERR_UNSUPPORTED
 * (no decoder).
 */
struct model_replacement {
    const char *name;
    uint32_t type;
    const void *data;
    uint64_t bytes;
};
enum gguf_status model_replace(struct model *model, const struct model_replacement *with,
                               struct gguf_error *err);

/* ---- Evaluation ------------------------------------------------------------------ */

struct model_context;

/* Independent sequences of up to `n_ctx` positions each: memory for keys and values is
 * n_ctx * sequences * layers * (k + v) floats. */
struct model_shape {
    uint32_t n_ctx;
    uint32_t sequences; /* 0: one */
};

/* Errors: GGUF_ERR_ARGUMENT (n_ctx is 0, or past the learned positions), GGUF_ERR_MEMORY. */
enum gguf_status model_context_new(struct model_context **out, const struct model *model,
                                   const struct model_shape *shape, struct gguf_error *err);
void model_context_free(struct model_context *context);

/* Forgets all sequences. */
void model_context_reset(struct model_context *context);
/* Forgets the tokens of one sequence from position `length` on. */
void model_context_truncate(struct model_context *context, uint32_t sequence, uint32_t length);
/* Tokens that a sequence holds: the position of its next token. */
uint32_t model_context_length(const struct model_context *context, uint32_t sequence);
/* Bytes that the context has allocated so far. */
uint64_t model_context_bytes(const struct model_context *context);

/*
 * Tokens to append, each to its sequence: token i gets the next position there. Tokens of
 * a sequence see the earlier tokens of that sequence alone, those in this batch included.
 * Results do not depend on how tokens are divided into batches.
 */
struct model_batch {
    const uint32_t *tokens;    /* [n] */
    const uint32_t *sequences; /* [n]; NULL: all to sequence 0 */
    const bool *wanted;        /* [n], whose logits are wanted; NULL: of all */
    size_t n;
};

/*
 * Evaluates a batch and keeps the final hidden states of the wanted tokens for
 * model_logits, until the next call. Any n: it is worked off in parts that bound the
 * memory. Errors: GGUF_ERR_ARGUMENT (a token that the vocabulary does not have, a sequence
 * that does not exist or is full: nothing is evaluated then), GGUF_ERR_MEMORY,
 * GGUF_ERR_DATA (hidden states that are not finite: broken weights).
 */
enum gguf_status model_eval(struct model_context *context, const struct model_batch *batch,
                            struct gguf_error *err);

/* Wanted tokens of the last batch. */
size_t model_wanted(const struct model_context *context);

/* Logits of wanted tokens [first, first + n), in the order of the batch: [n][vocab]. */
enum gguf_status model_logits(struct model_context *context, size_t first, size_t n,
                              float *logits, struct gguf_error *err);

#if defined(__GNUC__)
#pragma GCC visibility pop
#endif
#ifdef __cplusplus
}
#endif
#endif
