/* The model that the question is about: a file, an address, or a shape. */
#include "tools/gguf-size/size.h"

#include <string.h>

/* Data that lies outside the file does not matter here: the header of a download is enough.
 * Anything else that is wrong with the tensors does. */
static void refuse_damaged(const struct gguf *model, const char *path)
{
    for (size_t i = 0; i < gguf_tensor_count(model); i++) {
        const struct gguf_tensor *t = gguf_tensor_at(model, i);
        const struct gguf_type_info *info = gguf_type_find(t->type);
        if (t->bytes > 0 || t->elements == 0)
            continue;
        char name[160];
        gguf_str_escape(name, sizeof name, t->name);
        cli_die("%s: tensor %s: type %u (%s) with rows of %llu elements has no known size",
                path, name, t->type, info ? info->name : "unknown",
                (unsigned long long)t->ne[0]);
    }
    const struct gguf_error *problem = gguf_problem_at(model, 0);
    if (problem && problem->status != GGUF_ERR_TRUNCATED)
        cli_die("%s", problem->message);
    if (problem)
        cli_warning("%s; its header is enough for an estimate", problem->message);
}

static struct gguf *open_file(const char *path, uint64_t *bytes)
{
    struct gguf *model;
    struct gguf_error err;
    if (gguf_open(&model, path, GGUF_OPEN_INSPECT, &err))
        cli_die("%s", err.message);
    *bytes = 0;
    for (size_t i = 0; i < gguf_file_count(model); i++)
        *bytes += gguf_file_at(model, i)->file_bytes;
    return model;
}

static struct gguf *open_any(const char *input, uint64_t *bytes)
{
    struct gguf *model = remote_is(input) ? remote_open(input, bytes) : open_file(input, bytes);
    refuse_damaged(model, input);
    return model;
}

static void set_name(struct subject *s, const char *input)
{
    const char *slash = strrchr(input, '/');
    const char *base = slash && slash[1] ? slash + 1 : input;
    gguf_str_escape(s->name, sizeof s->name, (struct gguf_str){base, strlen(base)});
}

/* A layer for each number that tensors have, where the metadata does not say. */
static uint32_t count_layers(const struct gguf *model)
{
    uint32_t layers = 0;
    for (size_t i = 0; i < gguf_tensor_count(model); i++) {
        struct gguf_str name = gguf_tensor_at(model, i)->name;
        uint32_t n = 0;
        size_t at = 4;
        if (name.size < 6 || memcmp(name.data, "blk.", 4) != 0)
            continue;
        for (; at < name.size && name.data[at] >= '0' && name.data[at] <= '9'; at++)
            n = n < MODEL_MAX_LAYERS ? n * 10 + (uint32_t)(name.data[at] - '0') : n;
        if (n < MODEL_MAX_LAYERS && n + 1 > layers)
            layers = n + 1;
    }
    return layers;
}

/* DeepSeek files of before 2025-04 keep K and V of each head, in engines of every era: their
 * projection is one matrix, attn_kv_b. */
static bool is_old_latent(const struct subject *s)
{
    char name[64];
    bool old = false;
    for (uint32_t i = 0; i < s->h.layers && s->h.kv_lora_rank && !s->h.key_length_mla; i++) {
        snprintf(name, sizeof name, "blk.%u.attn_kv_b.weight", i);
        old = old || gguf_tensor_find(s->model, name);
    }
    return old;
}

static void read_hparams(struct subject *s, const char *path)
{
    struct gguf_error err;
    if (model_hparams_read_shape(&s->h, s->model, &err))
        cli_die("%s: %s", path, err.message);
    if (gguf_tensor_count(s->model) == 0)
        cli_die("%s: holds no tensors: no model to run", path);
    if (s->h.layers == 0)
        s->h.layers = count_layers(s->model);
    if (is_old_latent(s))
        s->h.kv_lora_rank = 0;
    const struct gguf_tensor *t = gguf_tensor_find(s->model, "token_embd.weight");
    if (s->h.embedding == 0 && t && t->ne[0] <= 1 << 20)
        s->h.embedding = (uint32_t)t->ne[0];
    if (s->h.layers == 0)
        cli_die("%s: holds no layers (block_count, blk.N tensors): no model to run", path);
}

void subject_open(struct subject *subject, const struct request *request)
{
    struct subject *s = subject;
    *s = (struct subject){.shape_only = request->input == NULL};
    if (!request->input) {
        s->header = shape_header(&request->shape, GGUF_F16);
        s->model = header_open(s->header);
        if (!s->model)
            cli_die("these sizes are no model's");
        snprintf(s->name, sizeof s->name, "model");
    } else {
        s->remote = remote_is(request->input);
        s->model = open_any(request->input, &s->file_bytes);
        set_name(s, request->input);
    }
    read_hparams(s, request->input ? request->input : "--params");
    if (request->projector) {
        uint64_t bytes;
        s->projector = open_any(request->projector, &bytes);
        s->file_bytes += bytes;
    }
}

void subject_close(struct subject *subject)
{
    gguf_close(subject->model);
    gguf_close(subject->projector);
    header_free(subject->header);
}
