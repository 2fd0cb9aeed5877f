/* Opening and reading GGUF: metadata, tensors, hyperparameters, vocabulary. */
#include "tests/fuzz/fuzz.h"
#include "libgguf/gguf.h"
#include "model/hparams.h"
#include "model/tokenizer.h"
#include "tests/unit/tiny_gguf.h"

/* Reads every byte of a value, through every reader. */
static void walk(struct gguf_value value)
{
    struct gguf_iter it = gguf_items(value);
    struct gguf_value item;
    struct gguf_str string;
    double number;
    uint64_t visited = 0, sum = 0;
    while (gguf_next(&it, &item)) {
        visited++;
        if (item.type == GGUF_VALUE_ARRAY)
            walk(item);
        else if (gguf_value_f64(item, &number))
            sum += number > 0;
        else if (gguf_value_string(item, &string) && string.size > 0)
            sum += (unsigned char)string.data[string.size - 1];
    }
    fuzz_assert(visited == value.count);
    (void)sum;
}

static void read_tensor(const struct gguf *model, const struct gguf_tensor *t)
{
    unsigned char bytes[512];
    const struct gguf_type_info *info = gguf_type_find(t->type);
    if (!t->readable || t->bytes == 0)
        return;
    fuzz_assert(info && info->block_bytes > 0 && info->block_bytes <= sizeof bytes);
    uint64_t last = t->bytes - info->block_bytes;
    fuzz_assert(!gguf_tensor_read(model, t, 0, bytes, info->block_bytes, NULL));
    fuzz_assert(!gguf_tensor_read(model, t, last, bytes, info->block_bytes, NULL));
    fuzz_assert(gguf_tensor_read(model, t, t->bytes, bytes, 1, NULL) == GGUF_ERR_ARGUMENT);
}

static void tokenize(const struct gguf *model, struct gguf_str text)
{
    struct tokenizer *tokenizer;
    struct token_list list = {0};
    char *decoded = NULL;
    size_t size;
    if (tokenizer_open(&tokenizer, model, NULL))
        return;
    enum gguf_status status = tokenizer_encode(
        tokenizer, text, TOKENIZER_ADD_SPECIAL | TOKENIZER_PARSE_SPECIAL, &list, NULL);
    if (!status)
        fuzz_assert(
            !tokenizer_decode(tokenizer, list.ids, list.count, 0, &decoded, &size, NULL));
    free(decoded);
    token_list_free(&list);
    tokenizer_close(tokenizer);
}

/* A text of every kind, and the end of the input. */
static void tokenize_texts(const struct gguf *model, const uint8_t *data, size_t size)
{
    static const char text[] = "Hello, world!  caf\xc3\xa9 <s> 12345 lo ab \xff";
    const size_t n = size < 64 ? size : 64;
    tokenize(model, (struct gguf_str){text, sizeof text - 1});
    tokenize(model, (struct gguf_str){(const char *)data + size - n, n});
}

static void read_all(const struct gguf *model)
{
    static struct model_hparams hparams;
    for (size_t i = 0; i < gguf_kv_count(model); i++)
        walk(gguf_kv_at(model, i)->value);
    for (size_t i = 0; i < gguf_tensor_count(model); i++)
        read_tensor(model, gguf_tensor_at(model, i));
    (void)model_hparams_read(&hparams, model, NULL);
    (void)model_hparams_read_shape(&hparams, model, NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const unsigned flags[] = {GGUF_OPEN_SINGLE, GGUF_OPEN_SINGLE | GGUF_OPEN_INSPECT};
    for (size_t i = 0; i < sizeof flags / sizeof flags[0]; i++) {
        struct gguf *model = NULL;
        struct gguf_error err;
        enum gguf_status status = gguf_open_memory(&model, data, size, flags[i], &err);
        fuzz_assert((status == GGUF_OK) == (model != NULL));
        if (model) {
            read_all(model);
            tokenize_texts(model, data, size);
        }
        gguf_close(model);
    }
    return 0;
}

/* ---- Seeds ------------------------------------------------------------------------------- */

static void add_array(struct tiny *t, const char *key, enum gguf_value_type item, size_t n)
{
    tiny_text(t, key);
    tiny_put(t, GGUF_VALUE_ARRAY, 4);
    tiny_put(t, item, 4);
    tiny_put(t, n, 8);
    t->keys++;
}

static const char *const tokens[] = {"<unk>",
                                     "<s>",
                                     "</s>",
                                     "a",
                                     "b",
                                     "ab",
                                     "\xe2\x96\x81",
                                     ("\xe2\x96\x81"
                                      "a"),
                                     "e",
                                     "l",
                                     "o",
                                     "lo",
                                     "<0xFF>",
                                     "##l",
                                     "[UNK]"};
#define N_TOKENS (sizeof tokens / sizeof tokens[0])

static void add_vocabulary(struct tiny *t, const char *kind)
{
    tiny_string(t, "tokenizer.ggml.model", kind);
    tiny_string(t, "tokenizer.ggml.pre", "llama-bpe");
    tiny_u32(t, "tokenizer.ggml.bos_token_id", 1);
    tiny_u32(t, "tokenizer.ggml.eos_token_id", 2);
    tiny_u32(t, "tokenizer.ggml.unknown_token_id", 0);
    add_array(t, "tokenizer.ggml.tokens", GGUF_VALUE_STRING, N_TOKENS);
    for (size_t i = 0; i < N_TOKENS; i++)
        tiny_text(t, tokens[i]);
    add_array(t, "tokenizer.ggml.scores", GGUF_VALUE_F32, N_TOKENS);
    for (size_t i = 0; i < N_TOKENS; i++)
        tiny_put(t, 0xc0000000u + (i << 18), 4); /* -2 and less */
    add_array(t, "tokenizer.ggml.token_type", GGUF_VALUE_I32, N_TOKENS);
    for (size_t i = 0; i < N_TOKENS; i++)
        tiny_put(t, i == 0 ? 2 : i < 3 ? 3 : i == 12 ? 6 : i == 5 ? 4 : 1, 4);
    add_array(t, "tokenizer.ggml.merges", GGUF_VALUE_STRING, 2);
    tiny_text(t, "l o");
    tiny_text(t, "a b");
}

static void add_number(struct tiny *t, const char *architecture, const char *suffix,
                       uint32_t number)
{
    char key[96];
    (void)snprintf(key, sizeof key, "%s.%s", architecture, suffix);
    tiny_u32(t, key, number);
}

static void add_model(struct tiny *t, const char *architecture)
{
    static const struct {
        const char *architecture; /* NULL: all */
        const char *suffix;
        uint32_t number;
    } keys[] = {
        {NULL, "block_count", 3},
        {NULL, "context_length", 64},
        {NULL, "embedding_length", 32},
        {NULL, "feed_forward_length", 32},
        {NULL, "attention.head_count", 2},
        {"gemma3", "nextn_predict_layers", 1},
        {"gemma3", "attention.sliding_window", 16},
        {"gemma3", "attention.sliding_window_pattern", 2},
        {"gemma3", "attention.key_length_swa", 8},
        {"gemma3", "attention.value_length_swa", 8},
        {"gemma3", "rope.dimension_count_swa", 8},
        {"deepseek2", "attention.q_lora_rank", 8},
        {"deepseek2", "attention.kv_lora_rank", 8},
        {"deepseek2", "attention.key_length_mla", 16},
        {"deepseek2", "attention.value_length_mla", 16},
        {"deepseek2", "rope.dimension_count", 4},
        {"deepseek2", "expert_count", 4},
        {"deepseek2", "expert_used_count", 2},
        {"deepseek2", "leading_dense_block_count", 1},
    };
    const uint64_t ne[3] = {32, 2, 1};
    const uint32_t eps = 0x3727c5ac; /* 1e-5 */
    char key[96];
    tiny_string(t, "general.architecture", architecture);
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
        if (!keys[i].architecture || strcmp(keys[i].architecture, architecture) == 0)
            add_number(t, architecture, keys[i].suffix, keys[i].number);
    (void)snprintf(key, sizeof key, "%s.attention.layer_norm_rms_epsilon", architecture);
    tiny_text(t, key);
    tiny_put(t, GGUF_VALUE_F32, 4);
    tiny_put(t, eps, 4);
    t->keys++;
    tiny_tensor(t, "token_embd.weight", GGUF_F32, ne, NULL);
    tiny_tensor(t, "blk.0.attn_q.weight", GGUF_Q4_0, ne, NULL);
}

/* One of each kind of vocabulary and of each group of keys. */
size_t fuzz_seed(size_t index, uint8_t *out)
{
    static const char *const kinds[][2] = {{"gpt2", "llama"},
                                           {"llama", "llama"},
                                           {"bert", "llama"},
                                           {"llama", "gemma3"},
                                           {"gpt2", "deepseek2"}};
    static struct tiny t;
    memset(&t, 0, sizeof t);
    if (index >= sizeof kinds / sizeof kinds[0])
        return 0;
    add_vocabulary(&t, kinds[index][0]);
    add_model(&t, kinds[index][1]);
    tiny_finish(&t);
    memcpy(out, t.file, t.file_size);
    return t.file_size;
}
