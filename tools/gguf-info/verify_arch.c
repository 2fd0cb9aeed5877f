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

static bool is_known(struct gguf_str architecture)
{
    for (size_t i = 0; i < sizeof transformers / sizeof transformers[0]; i++) {
        if (gguf_str_equal(architecture, transformers[i]))
            return true;
    }
    return false;
}

/* Without a number of layers the file is no model that an engine takes, but a piece of one:
 * nothing can be missed in it. */
bool verify_is_transformer(const struct gguf *model)
{
    return is_known(gguf_architecture(model)) && gguf_kv_find_arch(model, "block_count");
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

/* ---- Shapes ---------------------------------------------------------------------- */

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

/* Tensors whose rows have the length that a hyperparameter gives; "*" is any layer. */
static const struct {
    const char *name, *key;
} row_lengths[] = {
    {"token_embd.weight", "embedding_length"},  {"output.weight", "embedding_length"},
    {"output_norm.weight", "embedding_length"}, {"*attn_norm.weight", "embedding_length"},
    {"*ffn_norm.weight", "embedding_length"},   {"*attn_q.weight", "embedding_length"},
    {"*attn_k.weight", "embedding_length"},     {"*attn_v.weight", "embedding_length"},
    {"*attn_qkv.weight", "embedding_length"},   {"*ffn_gate.weight", "embedding_length"},
    {"*ffn_up.weight", "embedding_length"},     {"*ffn_down.weight", "feed_forward_length"},
};

/* The name without "blk.N.", or nothing if it is not one of a layer. */
static struct gguf_str name_in_layer(struct gguf_str name)
{
    size_t i = 4;
    if (name.size < i || memcmp(name.data, "blk.", i) != 0)
        return (struct gguf_str){"", 0};
    while (i < name.size && name.data[i] != '.')
        i++;
    return i < name.size ? (struct gguf_str){name.data + i + 1, name.size - i - 1}
                         : (struct gguf_str){"", 0};
}

/* Whether `key` gives the row length of a tensor with this name. */
static bool rules_rows(const char *key, struct gguf_str name)
{
    struct gguf_str inner = name_in_layer(name);
    for (size_t i = 0; i < sizeof row_lengths / sizeof row_lengths[0]; i++) {
        const char *rule = row_lengths[i].name;
        bool matches =
            *rule == '*' ? gguf_str_equal(inner, rule + 1) : gguf_str_equal(name, rule);
        if (matches)
            return strcmp(row_lengths[i].key, key) == 0;
    }
    return false;
}

/* One finding for a key, as a wrong key hits all tensors at once. */
static void check_columns(struct verify *v, const struct gguf *model, const char *key)
{
    uint64_t expected, wrong = 0;
    const struct gguf_tensor *first = NULL;
    if (!gguf_get_arch_u64(model, key, &expected))
        return;
    for (size_t i = 0; i < gguf_tensor_count(model); i++) {
        const struct gguf_tensor *t = gguf_tensor_at(model, i);
        if (t->ne[0] != expected && rules_rows(key, t->name) && wrong++ == 0)
            first = t;
    }
    if (wrong == 1)
        check_dim(v, first, 0, expected, key);
    else if (wrong)
        verify_problem(v, first->name, "has shape %s, but %s is %" PRIu64 "; so with %s more",
                       text_shape(first).text, key, expected,
                       text_plural(wrong - 1, "tensor").text);
}

void verify_architecture(struct verify *verify, const struct gguf *model)
{
    if (!verify_is_model(model) || gguf_tensor_count(model) == 0)
        return;
    if (!gguf_kv_find_arch(model, "block_count"))
        verify_warning(verify, gguf_architecture(model),
                       "block_count is missing: no engine takes this for a whole model");
    check_ends(verify, model);
    check_rows(verify, model);
    if (verify_is_transformer(model)) {
        check_columns(verify, model, "embedding_length");
        check_columns(verify, model, "feed_forward_length");
    }
}
