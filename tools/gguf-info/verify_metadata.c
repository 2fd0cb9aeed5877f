/* --verify: metadata that contradicts itself, or the tensors. */
#include "tools/gguf-info/info.h"

#include "quant/quant.h"

#include <inttypes.h>
#include <string.h>

#define TOKENS "tokenizer.ggml.tokens"

/* ---- Vocabulary ------------------------------------------------------------------------ */

/* Arrays with one entry a token. Engines read them as arrays of this very type. */
static void check_parallel(struct verify *v, const struct gguf *model, const char *key,
                           enum gguf_value_type item)
{
    const struct gguf_kv *kv = gguf_kv_find(model, key);
    uint64_t size = tokenizer_size(model);
    if (!kv)
        return;
    if (kv->value.type != GGUF_VALUE_ARRAY || kv->value.item != item)
        verify_problem(v, kv->key, "is %s, not an array of %s", text_value_type(kv->value).text,
                       gguf_value_type_name(item));
    else if (kv->value.count != size)
        verify_problem(v, kv->key, "has %s for %s", text_plural(kv->value.count, "value").text,
                       text_plural(size, "token").text);
}

/* Ids that point outside the vocabulary. The largest u32 and negative ids mean "none". */
static void check_token_id(struct verify *v, const struct gguf *model, const struct gguf_kv *kv)
{
    static const char suffix[] = "_token_id";
    size_t n = sizeof suffix - 1;
    uint64_t id;
    if (kv->key.size <= n || memcmp(kv->key.data + kv->key.size - n, suffix, n) != 0)
        return;
    if (gguf_value_u64(kv->value, &id) && id != UINT32_MAX && id >= tokenizer_size(model))
        verify_problem(v, kv->key, "is %" PRIu64 ", but there are %s", id,
                       text_plural(tokenizer_size(model), "token").text);
}

static void check_vocabulary(struct verify *v, const struct gguf *model)
{
    const struct gguf_kv *tokens = gguf_kv_find(model, TOKENS);
    if (!tokens)
        return;
    if (tokens->value.type != GGUF_VALUE_ARRAY || tokens->value.item != GGUF_VALUE_STRING) {
        verify_problem(v, tokens->key, "is %s, not an array of strings",
                       text_value_type(tokens->value).text);
        return;
    }
    check_parallel(v, model, "tokenizer.ggml.scores", GGUF_VALUE_F32);
    check_parallel(v, model, "tokenizer.ggml.token_type", GGUF_VALUE_I32);
    for (size_t i = 0; i < gguf_kv_count(model); i++)
        check_token_id(v, model, gguf_kv_at(model, i));
    uint64_t stated;
    const struct gguf_kv *kv = gguf_kv_find_arch(model, "vocab_size");
    if (kv && gguf_value_u64(kv->value, &stated) && stated != tokenizer_size(model))
        verify_warning(v, kv->key, "is %" PRIu64 ", but there are %s", stated,
                       text_plural(tokenizer_size(model), "token").text);
}

/* ---- Architecture and hyperparameters -------------------------------------------- */

/* Hyperparameters that are positive whole numbers in every model; where a layer differs
 * from the others they are arrays. */
static const char *const positive[] = {"block_count", "context_length", "embedding_length"};

static void check_hyperparameters(struct verify *v, const struct gguf *model)
{
    for (size_t i = 0; i < sizeof positive / sizeof positive[0]; i++) {
        const struct gguf_kv *kv = gguf_kv_find_arch(model, positive[i]);
        uint64_t n;
        if (kv && kv->value.type != GGUF_VALUE_ARRAY &&
            (!gguf_value_u64(kv->value, &n) || n == 0))
            verify_problem(v, kv->key, "is no positive whole number");
    }
}

static void check_architecture_key(struct verify *v, const struct gguf *model)
{
    const struct gguf_kv *kv = gguf_kv_find(model, "general.architecture");
    struct gguf_str s;
    if (kv && !gguf_value_string(kv->value, &s))
        verify_problem(v, kv->key, "is %s, not a string", text_value_type(kv->value).text);
}

/* ---- general.file_type ----------------------------------------------------------- */

static bool has_type(const struct gguf *model, uint32_t type)
{
    for (size_t i = 0; i < gguf_tensor_count(model); i++) {
        if (gguf_tensor_at(model, i)->type == type)
            return true;
    }
    return false;
}

/* Only a warning: overrides and fallbacks can leave no tensor of the announced type. */
static void check_file_type(struct verify *v, const struct gguf *model)
{
    const struct gguf_kv *kv = gguf_kv_find(model, "general.file_type");
    uint64_t id;
    if (!kv || !gguf_value_u64(kv->value, &id) || gguf_tensor_count(model) == 0)
        return;
    const struct quant_mix *mix = quant_mix_by_file_type(id);
    if (!mix)
        verify_warning(v, kv->key, "is %" PRIu64 ", which stands for no type here", id);
    else if (mix->base != QUANT_TYPE_NONE && !has_type(model, mix->base))
        verify_warning(v, kv->key, "says %s, but no tensor is %s", mix->name,
                       text_type(mix->base).text);
}

void verify_metadata(struct verify *verify, const struct gguf *model)
{
    check_architecture_key(verify, model);
    check_hyperparameters(verify, model);
    check_vocabulary(verify, model);
    check_file_type(verify, model);
}
