/* --verify: the tensors outside the layers, and shapes that follow from the metadata. */
#include "tools/gguf-info/info.h"

#include <inttypes.h>
#include <string.h>

/* Architectures whose layers are all attention and feed-forward, with output_norm. */
static const char *const transformers[] = {
    "cohere2",  "command-r", "deepseek2", "falcon",     "gemma",     "gemma2",   "gemma3",
    "glm4",     "gpt2",      "gptneox",   "granite",    "internlm2", "llama",    "mistral3",
    "minicpm",  "olmo2",     "phi2",      "phi3",       "qwen2",     "qwen2moe", "qwen3",
    "qwen3moe", "smollm3",   "stablelm",  "starcoder2",
};

bool verify_is_transformer(const struct gguf *model)
{
    struct gguf_str arch = gguf_architecture(model);
    for (size_t i = 0; i < sizeof transformers / sizeof transformers[0]; i++) {
        if (gguf_str_equal(arch, transformers[i]))
            return true;
    }
    return false;
}

/* A whole model, not an adapter, a projector or an importance matrix. */
bool verify_is_model(const struct gguf *model)
{
    struct gguf_str type;
    if (gguf_architecture(model).size == 0)
        return false;
    return !gguf_get_string(model, "general.type", &type) || gguf_str_equal(type, "model");
}

/* ---- Tensors outside the layers --------------------------------------------------------- */

static void need_tensor(struct verify *v, const struct gguf *model, const char *name)
{
    if (!gguf_tensor_find(model, name))
        verify_problem(v, (struct gguf_str){name, strlen(name)}, "is missing");
}

/* Without output.weight the embeddings are used a second time. */
static void check_ends(struct verify *v, const struct gguf *model)
{
    if (tokenizer_size(model) || gguf_kv_find_arch(model, "vocab_size"))
        need_tensor(v, model, "token_embd.weight");
    if (verify_is_transformer(model))
        need_tensor(v, model, "output_norm.weight");
}

/* ---- Shapes ---------------------------------------------------------------------------------
 */

static void check_dim(struct verify *v, const struct gguf_tensor *t, int dim, uint64_t expected,
                      const char *what)
{
    if (t && t->ne[dim] != expected)
        verify_problem(v, t->name, "has shape %s, but %s is %" PRIu64, text_shape(t).text, what,
                       expected);
}

static void check_rows(struct verify *v, const struct gguf *model)
{
    uint64_t tokens = tokenizer_size(model);
    if (!tokens)
        return;
    check_dim(v, gguf_tensor_find(model, "token_embd.weight"), 1, tokens,
              "the size of the vocabulary");
    check_dim(v, gguf_tensor_find(model, "output.weight"), 1, tokens,
              "the size of the vocabulary");
}

/* Tensors of a layer whose rows have the length that a hyperparameter gives. */
static const struct {
    const char *suffix, *key;
} row_lengths[] = {
    {"attn_norm.weight", "embedding_length"},   {"ffn_norm.weight", "embedding_length"},
    {"attn_q.weight", "embedding_length"},      {"attn_k.weight", "embedding_length"},
    {"attn_v.weight", "embedding_length"},      {"attn_qkv.weight", "embedding_length"},
    {"ffn_gate.weight", "embedding_length"},    {"ffn_up.weight", "embedding_length"},
    {"ffn_down.weight", "feed_forward_length"},
};

static void check_layer_tensor(struct verify *v, const struct gguf *model,
                               const struct gguf_tensor *t)
{
    static const char prefix[] = "blk.";
    size_t skip = sizeof prefix - 1;
    if (t->name.size <= skip || memcmp(t->name.data, prefix, skip) != 0)
        return;
    while (skip < t->name.size && t->name.data[skip] != '.')
        skip++;
    struct gguf_str suffix = {t->name.data + skip, t->name.size - skip};
    for (size_t i = 0; suffix.size && i < sizeof row_lengths / sizeof row_lengths[0]; i++) {
        struct gguf_str rest = {suffix.data + 1, suffix.size - 1};
        uint64_t expected;
        if (gguf_str_equal(rest, row_lengths[i].suffix) &&
            gguf_get_arch_u64(model, row_lengths[i].key, &expected))
            check_dim(v, t, 0, expected, row_lengths[i].key);
    }
}

static void check_columns(struct verify *v, const struct gguf *model)
{
    uint64_t width;
    if (gguf_get_arch_u64(model, "embedding_length", &width)) {
        check_dim(v, gguf_tensor_find(model, "token_embd.weight"), 0, width,
                  "embedding_length");
        check_dim(v, gguf_tensor_find(model, "output.weight"), 0, width, "embedding_length");
        check_dim(v, gguf_tensor_find(model, "output_norm.weight"), 0, width,
                  "embedding_length");
    }
    for (size_t i = 0; i < gguf_tensor_count(model); i++)
        check_layer_tensor(v, model, gguf_tensor_at(model, i));
}

void verify_architecture(struct verify *verify, const struct gguf *model)
{
    if (!verify_is_model(model) || gguf_tensor_count(model) == 0)
        return;
    check_ends(verify, model);
    check_rows(verify, model);
    if (verify_is_transformer(model))
        check_columns(verify, model);
}
