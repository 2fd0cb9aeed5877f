/* What the files of the pipeline share. */
#ifndef QUANT_PIPELINE_H
#define QUANT_PIPELINE_H

#include "quant/quant.h"

/* Bytes that are copied or read back at once. */
#define COPY_BYTES ((size_t)4 << 20)

/* COPY_BYTES rounded down to whole blocks of a readable tensor. */
size_t quant_copy_step(const struct gguf_tensor *tensor);

/* The path of the file that holds a tensor, for messages. */
const char *quant_path_of(const struct gguf *model, const struct gguf_tensor *tensor);

/* Tells how far the work is; GGUF_ERR_CANCELLED if it is to stop. */
enum gguf_status quant_report(const struct quant_settings *settings, uint64_t done,
                              struct gguf_str tensor, struct gguf_error *err);

#endif
