/*
 * Adds up the squared inputs of matrix products, for importance matrices. Part of
 * model/model.h's floor; the conventions of libgguf/gguf.h hold here too.
 *
 *     model_capture_new(&capture, tally, false, &err);
 *     struct model_settings settings = {.input = model_capture_input, .input_user = capture};
 *     model_open(&model, gguf, &settings, &err);
 *     model_eval(context, &batch, &err);
 *     model_capture_status(capture, &err);
 */
#ifndef MODEL_CAPTURE_H
#define MODEL_CAPTURE_H

#include "model/model.h"

#ifdef __cplusplus
extern "C" {
#endif
#if defined(__GNUC__) /* the library hides everything else */
#pragma GCC visibility push(default)
#endif

struct model_capture;

/*
 * Adds to `tally`, which is borrowed. The tensors are those that llama-imatrix counts: blk.*,
 * and output.weight if `output` is set (model_logits must be called then). Tensors of routed
 * experts (NAME_exps.weight) have a count for each expert; other tensors of several matrices
 * have one for all:
 *     sums [experts][columns], counts [experts], or
 *     sums [1][matrices * columns], counts [1]
 */
enum gguf_status model_capture_new(struct model_capture **out, struct quant_tally *tally,
                                   bool output, struct gguf_error *err);
void model_capture_free(struct model_capture *capture);

/* A model_input_fn; `capture` is a struct model_capture. The squares of one call are added up
 * in double, and the sum is added to the tally's. */
void model_capture_input(void *capture, const struct model_input *input);

/* Whether something went wrong so far: GGUF_ERR_MEMORY; GGUF_ERR_DATA (sums that are not
 * finite, or an entry of the tally with other sizes). Nothing is added after that. */
enum gguf_status model_capture_status(const struct model_capture *capture,
                                      struct gguf_error *err);

#if defined(__GNUC__)
#pragma GCC visibility pop
#endif
#ifdef __cplusplus
}
#endif
#endif
