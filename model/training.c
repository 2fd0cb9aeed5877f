/* Memory for fine-tuning: see training.h. */
#include "model/training.h"

#define NF4_BITS 4.127 /* 4 bits, and double-quantized scales: QLoRA, section 3 */

static uint64_t to_bytes(double bytes)
{
    return bytes < (double)MEMORY_MAX ? (uint64_t)(bytes > 0 ? bytes : 0) : MEMORY_MAX;
}

/* A state that ZeRO divides from `stage` on. */
static double divided(double bytes, const struct training_settings *s, uint32_t stage)
{
    return s->zero >= stage && s->gpus > 1 ? bytes / s->gpus : bytes;
}

static double optimizer_bytes(const struct training_settings *s)
{
    return s->optimizer == TRAINING_ADAMW ? 12 : 6;
}

static double base_bytes(const struct training_model *m, const struct training_settings *s)
{
    if (s->method != TRAINING_QLORA)
        return 2.0 * (double)m->parameters;
    double rest = m->parameters > m->linear ? (double)(m->parameters - m->linear) : 0;
    return (double)m->linear * NF4_BITS / 8 + 2 * rest;
}

/* Kept for one layer: s b E (34 + 5 heads s / E) in 16 bits, the second term being the
 * attention scores. */
static double layer_activations(const struct training_model *m,
                                const struct training_settings *s)
{
    double tokens = (double)s->sequence * s->batch;
    double scores = s->flash ? 0 : 5.0 * m->heads * s->sequence;
    return tokens * (34.0 * m->embedding + scores);
}

static double activations(const struct training_model *m, const struct training_settings *s)
{
    double tokens = (double)s->sequence * s->batch;
    if (!s->checkpointing)
        return layer_activations(m, s) * m->layers;
    return 2 * tokens * m->embedding * m->layers + layer_activations(m, s);
}

static double workspace(const struct training_model *m, const struct training_settings *s)
{
    if (s->method == TRAINING_QLORA || (s->zero >= 3 && s->gpus > 1))
        return 2.0 * (double)m->largest_layer * (s->method == TRAINING_FULL ? 2 : 1);
    return 0;
}

struct training_memory model_training_estimate(const struct training_model *model,
                                               const struct training_settings *settings)
{
    const struct training_settings *s = settings;
    bool full = s->method == TRAINING_FULL;
    double trained =
        full ? (double)model->parameters : (double)s->rank * (double)model->rank_columns;
    double logits = 10.0 * s->sequence * s->batch * model->vocab;
    struct training_memory m = {
        .weights = to_bytes(divided(base_bytes(model, s), s, 3)),
        .adapters = full ? 0 : to_bytes(divided(2 * trained, s, 3)),
        .gradients = to_bytes(divided(2 * trained, s, 2)),
        .optimizer = to_bytes(divided(optimizer_bytes(s) * trained, s, 1)),
        .activations = to_bytes(activations(model, s)),
        .logits = to_bytes(logits),
        .workspace = to_bytes(workspace(model, s)),
        .trained = to_bytes(trained),
    };
    const uint64_t parts[] = {m.weights,     m.adapters, m.gradients, m.optimizer,
                              m.activations, m.logits,   m.workspace};
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
        m.total = model_memory_sum(m.total, parts[i]);
    return m;
}
