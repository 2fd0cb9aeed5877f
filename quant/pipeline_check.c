/* What can be said before the work, from names, types and shapes alone. */
#include "quant/pipeline.h"
#include "libgguf/error.h"

/* Elements of a row that is converted: each thread holds two such rows of floats. */
#define MAX_ROW (1u << 24)

static bool is_float(uint32_t type)
{
    return type == GGUF_F32 || type == GGUF_F16 || type == GGUF_BF16 || type == GGUF_F64;
}

static const char *type_name(uint32_t type)
{
    const struct gguf_type_info *info = gguf_type_find(type);
    return info ? info->name : "of an unknown number";
}

/* A tensor that is copied need not be decoded. */
static enum gguf_status check_types(const struct gguf *model, const struct gguf_tensor *t,
                                    uint32_t target, struct gguf_error *err)
{
    const struct quant_format *to = quant_format_find(target);
    const char *path = quant_path_of(model, t);
    const struct gguf_text name = gguf_text(t->name);
    uint64_t bytes;
    if (!t->readable || (t->type != target && !quant_format_find(t->type)))
        return gguf_fail(err, GGUF_ERR_UNSUPPORTED, t->offset,
                         "%s: tensor %s: type %s cannot be read", path, name.text,
                         type_name(t->type));
    if (t->type != target && !(to && to->encode))
        return gguf_fail(err, GGUF_ERR_UNSUPPORTED, GGUF_NO_OFFSET,
                         "%s: tensor %s: type %s can be read but not made here", path,
                         name.text, type_name(target));
    if (!gguf_type_bytes(target, t->ne[0], &bytes))
        return gguf_fail(err, GGUF_ERR_DATA, GGUF_NO_OFFSET,
                         "%s: tensor %s: rows of %llu do not divide into blocks of %s", path,
                         name.text, (unsigned long long)t->ne[0], type_name(target));
    if (t->type != target && t->ne[0] > MAX_ROW)
        return gguf_fail(err, GGUF_ERR_UNSUPPORTED, GGUF_NO_OFFSET,
                         "%s: tensor %s: rows of %llu are too long to convert: %u at most",
                         path, name.text, (unsigned long long)t->ne[0], MAX_ROW);
    return GGUF_OK;
}

static enum gguf_status check_requantize(const struct gguf *model, const struct gguf_tensor *t,
                                         uint32_t target, struct gguf_error *err)
{
    if (t->type == target || is_float(t->type))
        return GGUF_OK;
    return gguf_fail(
        err, GGUF_ERR_ARGUMENT, GGUF_NO_OFFSET,
        "%s: tensor %s is quantized already: %s made of %s loses more than %s made "
        "of the original",
        quant_path_of(model, t), gguf_text(t->name).text, type_name(target), type_name(t->type),
        type_name(target));
}

static enum gguf_status check_importance(const struct gguf *model, const struct gguf_tensor *t,
                                         const struct quant_importance *importance,
                                         struct gguf_error *err)
{
    const uint64_t matrices = t->ne[2] * t->ne[3];
    if (!importance || quant_importance_fits(importance, t))
        return GGUF_OK;
    return gguf_fail(err, GGUF_ERR_DATA, GGUF_NO_OFFSET,
                     "%s: tensor %s has %llu columns in %llu matrices, but its importance has "
                     "%llu in %llu: the importance matrix is for another model",
                     quant_path_of(model, t), gguf_text(t->name).text,
                     (unsigned long long)t->ne[0], (unsigned long long)matrices,
                     (unsigned long long)importance->columns,
                     (unsigned long long)importance->experts);
}

enum gguf_status quant_check(const struct gguf *model, const struct quant_item *items, size_t n,
                             const struct quant_settings *settings, struct gguf_error *err)
{
    enum gguf_status status = GGUF_OK;
    if (!quant_cpu_runs(settings->cpu))
        return gguf_fail(err, GGUF_ERR_UNSUPPORTED, GGUF_NO_OFFSET,
                         "this machine cannot run the kernels for %s",
                         quant_cpu_name(settings->cpu) ? quant_cpu_name(settings->cpu) : "?");
    for (size_t i = 0; i < n && !status; i++) {
        const struct gguf_tensor *t = gguf_tensor_at(model, items[i].choice.tensor);
        status = check_types(model, t, items[i].choice.type, err);
        if (!status)
            status = check_importance(model, t, items[i].importance, err);
        if (!status && !settings->requantize)
            status = check_requantize(model, t, items[i].choice.type, err);
    }
    return status;
}
