/* Opening a model. */
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libgguf/error.h"
#include "model/internal.h"

const char *model_architecture_at(size_t index)
{
    const struct model_arch *arch = model_arch_at(index);
    return arch ? arch->name : NULL;
}

static enum gguf_status fail_architecture(struct gguf_str name, struct gguf_error *err)
{
    char list[512] = "";
    size_t at = 0;
    for (size_t i = 0; model_arch_at(i) && at < sizeof list; i++) {
        int n = snprintf(list + at, sizeof list - at, "%s%s", i ? ", " : "",
                         model_arch_at(i)->name);
        at += n > 0 ? (size_t)n : 0;
    }
    return gguf_fail(err, GGUF_ERR_UNSUPPORTED, GGUF_NO_OFFSET,
                     "no forward pass for the architecture '%s'; there is one for %s",
                     gguf_text(name).text, list);
}

static enum gguf_status set_machine(struct model *model, struct gguf_error *err)
{
    const struct model_settings *s = &model->settings;
    model->cpu = s->has_cpu ? s->cpu : quant_cpu_best();
    if (!quant_cpu_runs(model->cpu))
        return gguf_fail(err, GGUF_ERR_ARGUMENT, GGUF_NO_OFFSET,
                         "this machine does not run the kernels of the level %s",
                         quant_cpu_name(model->cpu));
    model->kernels = model_kernels_at(model->cpu);
    model->kernels8 = model_kernels8_at(model->cpu);
    model->threads = s->threads > 0 ? s->threads : omp_get_max_threads();
    return GGUF_OK;
}

static enum gguf_status open_model(struct model *model, struct gguf_error *err)
{
    enum gguf_status status = set_machine(model, err);
    if (status != GGUF_OK)
        return status;
    model->arch = model_arch_find(gguf_architecture(model->gguf));
    if (!model->arch && gguf_architecture(model->gguf).size > 0)
        return fail_architecture(gguf_architecture(model->gguf), err);
    status = model_hparams_read(&model->h, model->gguf, err);
    return status == GGUF_OK ? weights_load(model, err) : status;
}

enum gguf_status model_open(struct model **out, const struct gguf *gguf,
                            const struct model_settings *settings, struct gguf_error *err)
{
    *out = NULL;
    struct model *model = calloc(1, sizeof *model);
    if (!model)
        return gguf_fail_memory(err);
    model->gguf = gguf;
    if (settings)
        model->settings = *settings;
    enum gguf_status status = open_model(model, err);
    if (status != GGUF_OK) {
        model_close(model);
        return status;
    }
    *out = model;
    return GGUF_OK;
}

void model_close(struct model *model)
{
    if (!model)
        return;
    weights_free(model);
    free(model);
}

const struct model_hparams *model_hparams(const struct model *model)
{
    return &model->h;
}
