/* Weights: the tensors of a model by where they are used. */
#include "tools/gguf-size/size.h"

#include <string.h>

static bool starts_with(struct gguf_str s, const char *text)
{
    size_t n = strlen(text);
    return s.size >= n && memcmp(s.data, text, n) == 0;
}

static bool contains(struct gguf_str s, const char *text)
{
    size_t n = strlen(text);
    for (size_t i = 0; i + n <= s.size; i++) {
        if (memcmp(s.data + i, text, n) == 0)
            return true;
    }
    return false;
}

/* "blk.12.attn_q.weight" is of layer 12. */
static bool layer_of(struct gguf_str name, uint32_t *layer)
{
    uint64_t n = 0;
    size_t i = 4;
    if (!starts_with(name, "blk."))
        return false;
    for (; i < name.size && name.data[i] >= '0' && name.data[i] <= '9'; i++) {
        n = n * 10 + (uint64_t)(name.data[i] - '0');
        if (n >= MODEL_MAX_LAYERS)
            return false;
    }
    *layer = (uint32_t)n;
    return i > 4 && i < name.size && name.data[i] == '.';
}

/* Looked up row by row, never multiplied. */
static bool is_input(struct gguf_str name)
{
    static const char *const names[] = {"token_embd.", "per_layer_token_embd.",
                                        "position_embd.", "token_types.", "token_embd_norm."};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (starts_with(name, names[i]))
            return true;
    }
    return false;
}

/* One matrix for each expert: "ffn_up_exps", "ffn_gate_up_exps", "ffn_down_chexps". */
static bool is_experts(const struct gguf_tensor *t)
{
    return contains(t->name, "exps.") && t->ne[2] > 1;
}

static void add_layer(struct layer_weights *l, const struct gguf_tensor *t, uint64_t bytes)
{
    l->bytes = model_memory_sum(l->bytes, bytes);
    l->elements = model_memory_sum(l->elements, t->elements);
    l->largest = bytes > l->largest ? bytes : l->largest;
    if (!is_experts(t))
        return;
    l->experts = model_memory_sum(l->experts, bytes);
    l->expert_elements = model_memory_sum(l->expert_elements, t->elements);
    l->largest_expert = bytes > l->largest_expert ? bytes : l->largest_expert;
}

static uint64_t bytes_as(const struct gguf_tensor *t, uint32_t type)
{
    uint64_t bytes = 0;
    gguf_type_bytes(type, t->elements, &bytes);
    return bytes;
}

static void add_tensor(struct weights *w, const struct gguf_tensor *t, uint32_t type)
{
    uint32_t layer;
    uint64_t bytes = bytes_as(t, type);
    w->total = model_memory_sum(w->total, bytes);
    w->elements = model_memory_sum(w->elements, t->elements);
    if (layer_of(t->name, &layer)) {
        add_layer(&w->layer[layer], t, bytes);
    } else if (is_input(t->name)) {
        w->input = model_memory_sum(w->input, bytes);
    } else {
        w->output = model_memory_sum(w->output, bytes);
        w->output_elements = model_memory_sum(w->output_elements, t->elements);
    }
}

/* Without output.weight the embeddings serve twice. */
static void add_tied_output(struct weights *w, const struct gguf *model, uint32_t type)
{
    const struct gguf_tensor *t = gguf_tensor_find(model, "token_embd.weight");
    if (!t || gguf_tensor_find(model, "output.weight"))
        return;
    w->tied = bytes_as(t, type);
    w->output = model_memory_sum(w->output, w->tied);
    w->output_elements = model_memory_sum(w->output_elements, t->elements);
}

static uint64_t all_bytes(const struct gguf *model)
{
    uint64_t bytes = 0;
    for (size_t i = 0; model && i < gguf_tensor_count(model); i++)
        bytes = model_memory_sum(bytes, gguf_tensor_at(model, i)->bytes);
    return bytes;
}

void weights_collect(struct weights *w, const struct subject *subject,
                     const struct quant_choice *choices)
{
    const struct gguf *model = subject->model;
    const struct model_hparams *h = &subject->h;
    uint32_t embedding_type = GGUF_F32;
    memset(w, 0, sizeof *w);
    for (size_t i = 0; i < gguf_tensor_count(model); i++) {
        const struct gguf_tensor *t = gguf_tensor_at(model, choices ? choices[i].tensor : i);
        uint32_t type = choices ? choices[i].type : t->type;
        add_tensor(w, t, type);
        if (gguf_str_equal(t->name, "token_embd.weight"))
            embedding_type = type;
    }
    add_tied_output(w, model, embedding_type);
    w->projector = all_bytes(subject->projector);
    uint32_t used = 0;
    for (uint32_t i = 0; i < h->layers; i++)
        used = h->layer[i].experts_used > used ? h->layer[i].experts_used : used;
    w->active_share = h->experts && used ? (double)used / h->experts : 1;
}

double weights_active(const struct weights *w, const struct subject *subject)
{
    double active = (double)w->output_elements;
    for (uint32_t i = 0; i < subject->h.layers; i++) {
        const struct layer_weights *l = &w->layer[i];
        active += (double)(l->elements - l->expert_elements);
        active += (double)l->expert_elements * w->active_share;
    }
    return active;
}
