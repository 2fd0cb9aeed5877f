/* How the bytes of all tensors divide into units of work. */
#include "quant/pipeline.h"
#include "libgguf/checked.h"
#include "libgguf/error.h"

/* Bytes of a unit before and after together: half of a usual second-level cache. A longer row
 * is a unit of its own. */
#define UNIT_BYTES (512 * 1024)

const char *quant_path_of(const struct gguf *model, const struct gguf_tensor *tensor)
{
    return gguf_file_at(model, tensor->file)->path;
}

/* Blocks of a copy, or rows. False if rows do not divide into blocks. */
static bool set_pieces(struct quant_stage *s, uint32_t type)
{
    const struct gguf_tensor *t = s->tensor;
    const struct gguf_type_info *info = gguf_type_find(t->type);
    if (s->copies) {
        s->pieces = t->bytes / info->block_bytes;
        s->source_bytes = s->target_bytes = info->block_bytes;
        return true;
    }
    s->pieces = t->elements / t->ne[0];
    return gguf_type_bytes(t->type, t->ne[0], &s->source_bytes) &&
           gguf_type_bytes(type, t->ne[0], &s->target_bytes);
}

static void grow(uint64_t *most, uint64_t value)
{
    *most = value > *most ? value : *most;
}

enum gguf_status quant_stage_add(struct quant_stages *stages, const struct gguf *model,
                                 const struct gguf_tensor *tensor, uint32_t type, size_t index,
                                 struct gguf_error *err)
{
    struct quant_stage *s = &stages->stage[stages->n];
    *s = (struct quant_stage){.tensor = tensor,
                              .index = index,
                              .copies = tensor->type == type,
                              .first_unit = stages->units,
                              .bytes_before = stages->bytes};
    if (tensor->elements == 0)
        return GGUF_OK;
    if (!set_pieces(s, type))
        return gguf_fail(err, GGUF_ERR_ARGUMENT, GGUF_NO_OFFSET,
                         "%s: tensor %s: rows do not divide into blocks",
                         quant_path_of(model, tensor), gguf_text(tensor->name).text);
    s->unit_pieces = UNIT_BYTES / (s->source_bytes + s->target_bytes);
    if (s->unit_pieces > s->pieces)
        s->unit_pieces = s->pieces;
    grow(&s->unit_pieces, 1);
    stages->units += (s->pieces - 1) / s->unit_pieces + 1;
    stages->bytes += tensor->bytes;
    grow(&stages->max_source, s->unit_pieces * s->source_bytes);
    grow(&stages->max_target, s->unit_pieces * s->target_bytes);
    grow(&stages->max_row, s->copies ? 0 : tensor->ne[0]);
    stages->n++;
    return GGUF_OK;
}

struct quant_unit quant_unit_at(const struct quant_stages *stages, uint64_t unit)
{
    size_t low = 0, high = stages->n; /* the last stage that begins at or before the unit */
    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;
        if (stages->stage[middle].first_unit <= unit)
            low = middle;
        else
            high = middle;
    }
    const struct quant_stage *s = &stages->stage[low];
    uint64_t first = (unit - s->first_unit) * s->unit_pieces, left = s->pieces - first;
    return (struct quant_unit){.stage = s,
                               .first = first,
                               .count = left < s->unit_pieces ? left : s->unit_pieces,
                               .begins = first == 0,
                               .ends = left <= s->unit_pieces};
}

/* Tells how far the work is; GGUF_ERR_CANCELLED if it is to stop. */
static enum gguf_status report(const struct quant_settings *settings, uint64_t done,
                               struct gguf_str tensor, struct gguf_error *err)
{
    if (!settings->progress || settings->progress(settings->context, done, tensor))
        return GGUF_OK;
    return gguf_fail(err, GGUF_ERR_CANCELLED, GGUF_NO_OFFSET, "stopped at tensor %s",
                     gguf_text(tensor).text);
}

enum gguf_status quant_report_units(const struct quant_stages *stages,
                                    const struct quant_settings *settings, uint64_t retired,
                                    struct gguf_error *err)
{
    struct quant_unit last = quant_unit_at(stages, retired - 1);
    const struct quant_stage *s = last.stage;
    uint64_t done = s->bytes_before + (last.first + last.count) * s->source_bytes;
    return report(settings, done, s->tensor->name, err);
}

void quant_unit_prefetch(const struct quant_stages *stages, const struct gguf *model,
                         uint64_t unit)
{
    if (unit >= stages->units)
        return;
    struct quant_unit u = quant_unit_at(stages, unit);
    gguf_tensor_advise(model, u.stage->tensor, u.first * u.stage->source_bytes,
                       u.count * u.stage->source_bytes, GGUF_ADVISE_WILL_NEED);
}
