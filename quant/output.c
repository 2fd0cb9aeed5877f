/* The file that a recipe makes: its metadata, its tensors, its size. */
#include "quant/quant.h"

#include <stdlib.h>

#include "libgguf/error.h"

enum gguf_status quant_declare_metadata(struct gguf_writer *writer, const struct gguf *model,
                                        const struct quant_mix *mix, struct gguf_error *err)
{
    enum { QUANTIZATION_VERSION = 2 }; /* of the block formats; there is no other today */
    enum gguf_status status = gguf_writer_copy_metadata(writer, model, err);
    if (!status)
        status = gguf_writer_set_u32(writer, "general.quantization_version",
                                     QUANTIZATION_VERSION, err);
    if (!status && mix->file_type != QUANT_TYPE_NONE)
        status = gguf_writer_set_u32(writer, "general.file_type", mix->file_type, err);
    return status;
}

enum gguf_status quant_declare_tensor(struct gguf_writer *writer, const struct gguf *model,
                                      const struct quant_choice *choice, uint32_t shard,
                                      struct gguf_error *err)
{
    const struct gguf_tensor *t = gguf_tensor_at(model, choice->tensor);
    uint32_t n_dims = t->n_dims ? t->n_dims : 1; /* a scalar is written as one element */
    return gguf_writer_add_tensor(writer, t->name, choice->type, n_dims, t->ne, shard, err);
}

static enum gguf_status lay_out(struct gguf_writer *writer, const struct gguf *model,
                                const struct quant_recipe *recipe,
                                const struct quant_choice *choices, struct gguf_error *err)
{
    size_t n = gguf_tensor_count(model);
    enum gguf_status status = quant_declare_metadata(writer, model, recipe->mix, err);
    for (size_t i = 0; i < n && !status; i++)
        status = quant_declare_tensor(writer, model, &choices[i], GGUF_SHARD_AUTO, err);
    return status;
}

enum gguf_status quant_output_bytes(const struct gguf *model, const struct quant_recipe *recipe,
                                    struct quant_choice *choices, uint64_t *bytes,
                                    struct gguf_error *err)
{
    struct gguf_writer *writer;
    enum gguf_status status = quant_recipe_apply(model, recipe, false, choices, err);
    if (status)
        return status;
    status = gguf_writer_new(&writer, NULL, NULL, err);
    if (status)
        return status;
    status = lay_out(writer, model, recipe, choices, err);
    if (!status)
        status = gguf_writer_total_bytes(writer, bytes, err);
    gguf_writer_free(writer);
    return status;
}
