/* Hyperparameters: of the golden models, of made-up ones, and of impossible ones. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "model/model.h"

#define GOLDEN "../shared/golden-eval/"

static struct model_hparams h; /* 28 KiB: not on the stack */

static void read_golden(const char *name)
{
    char path[256];
    (void)snprintf(path, sizeof path, GOLDEN "%s.gguf", name);
    if (access(path, R_OK) != 0) {
        print_message("%s is absent\n", path);
        skip();
    }
    struct gguf *gguf = NULL;
    struct gguf_error err;
    assert_int_equal(gguf_open(&gguf, path, 0, &err), GGUF_OK);
    enum gguf_status status = model_hparams_read(&h, gguf, &err);
    gguf_close(gguf);
    assert_int_equal(status, GGUF_OK);
}

static void test_llama(void **state)
{
    (void)state;
    read_golden("llama-moe");
    assert_true(h.has_forward);
    assert_int_equal(h.layers, 2);
    assert_int_equal(h.embedding, 64);
    assert_int_equal(h.vocab, 300);
    assert_int_equal(h.context, 2048);
    assert_int_equal(h.layer[1].heads, 4);
    assert_int_equal(h.layer[1].kv_heads, 2);
    assert_int_equal(h.layer[1].experts_used, 2);
    assert_int_equal(h.layer[1].expert_ff_length, 48);
    assert_int_equal(h.key_length, 16);
    assert_int_equal(h.rope.dims, 16);
    assert_true(h.rope.base == 10000.0f && h.rope.factor == 1.0f);
    assert_true(h.norm_rms_eps == 1e-5f);
    assert_true(h.layer[1].own_cache && !h.layer[1].sliding && !h.layer[1].recurrent);
}

static void test_windows(void **state)
{
    (void)state;
    read_golden("gemma3");
    static const bool sliding[6] = {true, true, true, true, true, false};
    assert_int_equal(h.window, 10);
    for (size_t il = 0; il < 6; il++)
        assert_int_equal(h.layer[il].sliding, sliding[il]);
    read_golden("cohere2");
    assert_true(h.layer[2].sliding && !h.layer[3].sliding);
    read_golden("gemma2");
    assert_true(h.layer[0].sliding && !h.layer[1].sliding);
}

static void test_mla(void **state)
{
    (void)state;
    read_golden("deepseek2-mla");
    assert_int_equal(h.q_lora_rank, 24);
    assert_int_equal(h.kv_lora_rank, 32);
    assert_int_equal(h.key_length_mla, 24);
    assert_int_equal(h.value_length_mla, 16);
    assert_int_equal(h.leading_dense, 1);
    assert_int_equal(h.experts_shared, 1);
    assert_int_equal(h.gating, MODEL_GATING_SOFTMAX);
    assert_true(h.expert_scale == 1.5f && !h.expert_norm);
}

/* ---- Made-up files --------------------------------------------------------------- */

enum kind { END, U, U64, F, S, ARRAY };
struct kv {
    const char *key;
    enum kind kind;
    uint64_t number;
    double real;
    const char *text;
};

static void put(unsigned char *out, size_t *n, const void *data, size_t size)
{
    memcpy(out + *n, data, size);
    *n += size;
}

static void put_string(unsigned char *out, size_t *n, const char *s)
{
    uint64_t size = strlen(s);
    put(out, n, &size, 8);
    put(out, n, s, size);
}

static void put_value(unsigned char *out, size_t *n, const struct kv *kv)
{
    static const uint32_t types[] = {
        0, GGUF_VALUE_U32, GGUF_VALUE_U64, GGUF_VALUE_F32, GGUF_VALUE_STRING, GGUF_VALUE_ARRAY};
    uint32_t u32 = (uint32_t)kv->number, item = GGUF_VALUE_U32;
    uint64_t count = strlen(kv->text ? kv->text : "");
    float f32 = (float)kv->real;
    put(out, n, &types[kv->kind], 4);
    if (kv->kind == U)
        put(out, n, &u32, 4);
    else if (kv->kind == U64)
        put(out, n, &kv->number, 8);
    else if (kv->kind == F)
        put(out, n, &f32, 4);
    else if (kv->kind == S)
        put_string(out, n, kv->text);
    else { /* digits of `text` as numbers */
        put(out, n, &item, 4);
        put(out, n, &count, 8);
        for (size_t i = 0; i < count; i++) {
            u32 = (uint32_t)(kv->text[i] - '0');
            put(out, n, &u32, 4);
        }
    }
}

/* A file of `base` with `changed` in the place of the key of the same name, or added; until
 * the next one is made. */
static struct gguf *make(const struct kv *base, struct kv changed)
{
    static unsigned char file[4096];
    size_t n = 0;
    uint64_t tensors = 0, count = 1;
    bool known = false;
    for (const struct kv *kv = base; kv->kind != END; kv++, count++)
        known = known || strcmp(kv->key, changed.key) == 0;
    count -= known || changed.kind == END;
    put(file, &n, "GGUF\3\0\0\0", 8);
    put(file, &n, &tensors, 8);
    put(file, &n, &count, 8);
    for (const struct kv *kv = base; kv->kind != END; kv++) {
        const struct kv *it = strcmp(kv->key, changed.key) == 0 ? &changed : kv;
        put_string(file, &n, it->key);
        put_value(file, &n, it);
    }
    if (!known && changed.kind != END) {
        put_string(file, &n, changed.key);
        put_value(file, &n, &changed);
    }
    struct gguf *gguf = NULL;
    assert_int_equal(gguf_open_memory(&gguf, file, n, 0, NULL), GGUF_OK);
    return gguf;
}

static enum gguf_status read_made(const struct kv *base, struct kv changed,
                                  struct gguf_error *err)
{
    struct gguf *gguf = make(base, changed);
    enum gguf_status status = model_hparams_read(&h, gguf, err);
    gguf_close(gguf);
    return status;
}

/* What an estimate reads. */
static enum gguf_status read_made_shape(const struct kv *base, struct kv changed,
                                        struct gguf_error *err)
{
    struct gguf *gguf = make(base, changed);
    enum gguf_status status = model_hparams_read_shape(&h, gguf, err);
    gguf_close(gguf);
    return status;
}

static const struct kv llama[] = {
    {"general.architecture", S, 0, 0, "llama"},
    {"llama.block_count", U, 2, 0, NULL},
    {"llama.embedding_length", U, 64, 0, NULL},
    {"llama.context_length", U, 512, 0, NULL},
    {"llama.vocab_size", U, 300, 0, NULL},
    {"llama.feed_forward_length", U, 48, 0, NULL},
    {"llama.attention.head_count", U, 4, 0, NULL},
    {"llama.attention.layer_norm_rms_epsilon", F, 0, 1e-5, NULL},
    {"", END, 0, 0, NULL},
};

static const struct kv gemma2[] = {
    {"general.architecture", S, 0, 0, "gemma2"},
    {"gemma2.block_count", U, 2, 0, NULL},
    {"gemma2.embedding_length", U, 64, 0, NULL},
    {"gemma2.context_length", U, 512, 0, NULL},
    {"gemma2.vocab_size", U, 300, 0, NULL},
    {"gemma2.feed_forward_length", U, 48, 0, NULL},
    {"gemma2.attention.head_count", U, 4, 0, NULL},
    {"gemma2.attention.sliding_window", U, 8, 0, NULL},
    {"gemma2.attention.layer_norm_rms_epsilon", F, 0, 1e-5, NULL},
    {"", END, 0, 0, NULL},
};

/* A change of a file that makes it impossible. */
struct impossible {
    struct kv changed;
    const char *message; /* a part of it */
};

static void refuse(const struct kv *base, const struct impossible *cases, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct gguf_error err = {0};
        enum gguf_status status = read_made(base, cases[i].changed, &err);
        if (status != GGUF_ERR_CORRUPT || !strstr(err.message, cases[i].message))
            fail_msg("%s: status %d, %s", cases[i].changed.key, (int)status, err.message);
    }
}

static void test_impossible(void **state)
{
    (void)state;
    static const struct impossible cases[] = {
        {{"llama.block_count", U64, 1ull << 40, 0, NULL},
         "'llama.block_count' is 1099511627776, expected a number from 1 to 1024"},
        {{"llama.block_count", U, 0, 0, NULL}, "'llama.block_count' is 0"},
        {{"llama.block_count", S, 0, 0, "2"}, "a value of type string"},
        {{"llama.attention.head_count", U, 0, 0, NULL}, "'llama.attention.head_count' is 0"},
        {{"llama.attention.head_count", U, 65, 0, NULL}, "fewer heads"},
        {{"llama.attention.head_count", ARRAY, 0, 0, "444"}, "an array of 3 values"},
        {{"llama.attention.head_count", ARRAY, 0, 0, "40"}, "0 in a layer"},
        {{"llama.attention.head_count_kv", U, 3, 0, NULL}, "a divisor of the 4 heads"},
        {{"llama.attention.head_count_kv", U, 0, 0, NULL}, "a divisor of the 4 heads"},
        {{"llama.attention.layer_norm_rms_epsilon", F, 0, (double)NAN, NULL}, "is nan"},
        {{"llama.attention.layer_norm_rms_epsilon", F, 0, (double)INFINITY, NULL}, "is inf"},
        {{"llama.attention.layer_norm_rms_epsilon", F, 0, -1e-5, NULL}, "is -1e-05"},
        {{"llama.attention.layer_norm_rms_epsilon", U, 2, 0, NULL}, "is 2"},
        {{"llama.embedding_length", U, 0, 0, NULL}, "'llama.embedding_length' is 0"},
        {{"llama.embedding_length", U, 4000000000u, 0, NULL}, "4000000000"},
        {{"llama.context_length", U, 0, 0, NULL}, "'llama.context_length' is 0"},
        {{"llama.feed_forward_length", U, 0, 0, NULL}, "'llama.feed_forward_length' is 0"},
        {{"llama.vocab_size", U, 0, 0, NULL}, "'llama.vocab_size' is 0"},
        {{"llama.rope.freq_base", F, 0, 0, NULL}, "'llama.rope.freq_base' is 0"},
        {{"llama.rope.dimension_count", U, 15, 0, NULL}, "an even number up to key_length"},
        {{"llama.rope.dimension_count", U, 32, 0, NULL}, "an even number up to key_length"},
        {{"llama.rope.scaling.type", S, 0, 0, "magic"}, "none, linear, yarn or longrope"},
        {{"llama.rope.scaling.factor", F, 0, (double)NAN, NULL}, "is nan"},
        {{"llama.expert_count", U, 8, 0, NULL}, "'llama.expert_used_count' is 0"},
        {{"llama.expert_used_count", U, 2, 0, NULL}, "'llama.expert_used_count' is 2"},
        {{"llama.expert_count", U, 100000, 0, NULL}, "'llama.expert_count' is 100000"},
        {{"llama.expert_group_count", U, 3, 0, NULL}, "'llama.expert_group_count'"},
        {{"llama.nextn_predict_layers", U, 2, 0, NULL}, "'llama.nextn_predict_layers'"},
        {{"general.architecture", S, 0, 0, ""}, "'general.architecture' is missing"},
    };
    refuse(llama, cases, sizeof cases / sizeof cases[0]);
}

static void test_impossible_experts(void **state)
{
    (void)state;
    static const struct kv base[] = {
        {"general.architecture", S, 0, 0, "qwen3moe"},
        {"qwen3moe.block_count", U, 2, 0, NULL},
        {"qwen3moe.embedding_length", U, 64, 0, NULL},
        {"qwen3moe.context_length", U, 512, 0, NULL},
        {"qwen3moe.vocab_size", U, 300, 0, NULL},
        {"qwen3moe.expert_feed_forward_length", U, 48, 0, NULL},
        {"qwen3moe.attention.head_count", U, 4, 0, NULL},
        {"qwen3moe.attention.layer_norm_rms_epsilon", F, 0, 1e-5, NULL},
        {"qwen3moe.expert_count", U, 4, 0, NULL},
        {"qwen3moe.expert_used_count", U, 2, 0, NULL},
        {"", END, 0, 0, NULL},
    };
    static const struct impossible cases[] = {
        {{"qwen3moe.expert_feed_forward_length", U, 0, 0, NULL},
         "'qwen3moe.expert_feed_forward_length' is 0 or missing"},
        {{"qwen3moe.leading_dense_block_count", U, 1, 0, NULL},
         "'qwen3moe.feed_forward_length' is 0 or missing"},
        {{"qwen3moe.expert_used_count", U, 5, 0, NULL}, "'qwen3moe.expert_used_count' is 5"},
    };
    struct gguf_error err = {0};
    assert_int_equal(read_made(base, (struct kv){"", END, 0, 0, NULL}, &err), GGUF_OK);
    refuse(base, cases, sizeof cases / sizeof cases[0]);
}

static void test_impossible_windows(void **state)
{
    (void)state;
    static const struct impossible cases[] = {
        {{"gemma2.nextn_predict_layers", U, 2, 0, NULL}, "'gemma2.nextn_predict_layers'"},
        {{"gemma2.nextn_predict_layers", U, 1000, 0, NULL}, "'gemma2.nextn_predict_layers'"},
        {{"gemma2.attention.sliding_window_pattern", U, 2000, 0, NULL}, "is 2000"},
        {{"gemma2.rope.dimension_count_swa", U, 18, 0, NULL},
         "'gemma2.rope.dimension_count_swa' is 18, expected an even number up to "
         "key_length_swa"},
        {{"gemma2.rope.dimension_count_swa", U, 65536, 0, NULL}, "is 65536"},
        {{"gemma2.rope.dimension_count_swa", U, 15, 0, NULL}, "is 15"},
        {{"gemma2.attention.key_length_swa", U, 8, 0, NULL},
         "'gemma2.rope.dimension_count_swa' is 16"},
    };
    refuse(gemma2, cases, sizeof cases / sizeof cases[0]);
    for (size_t i = 0; i < 2; i++) {
        struct gguf_error err = {0};
        assert_int_equal(read_made_shape(gemma2, cases[i].changed, &err), GGUF_ERR_CORRUPT);
        assert_non_null(strstr(err.message, cases[i].message));
    }
}

static void test_missing(void **state)
{
    (void)state;
    struct kv fewer[sizeof llama / sizeof llama[0]];
    for (size_t drop = 1; drop + 1 < sizeof llama / sizeof llama[0]; drop++) {
        struct gguf_error err = {0};
        memcpy(fewer, llama, sizeof llama);
        memmove(&fewer[drop], &fewer[drop + 1], sizeof llama - (drop + 1) * sizeof llama[0]);
        struct kv nothing = {"", END, 0, 0, NULL};
        if (read_made(fewer, nothing, &err) == GGUF_OK || !strstr(err.message, llama[drop].key))
            fail_msg("without %s: %s", llama[drop].key, err.message);
    }
}

static void test_scaling(void **state)
{
    (void)state;
    struct gguf_error err;
    struct kv factor = {"llama.rope.scaling.factor", F, 0, 4, NULL};
    assert_int_equal(read_made(llama, factor, &err), GGUF_OK);
    assert_int_equal(h.rope.scaling, MODEL_ROPE_SCALING_LINEAR);
    assert_true(h.rope.factor == 4.0f);
    assert_int_equal(h.rope.original_context, 512);
}

static void test_unknown_architecture(void **state)
{
    (void)state;
    static const struct kv mamba[] = {
        {"general.architecture", S, 0, 0, "jamba"},
        {"jamba.block_count", U, 4, 0, NULL},
        {"jamba.embedding_length", U, 64, 0, NULL},
        {"jamba.ssm.inner_size", U, 128, 0, NULL},
        {"jamba.ssm.conv_kernel", U, 4, 0, NULL},
        {"jamba.attention.head_count", U, 4, 0, NULL},
        {"", END, 0, 0, NULL},
    };
    struct gguf_error err;
    struct kv kv = {"jamba.attention.head_count_kv", ARRAY, 0, 0, "0020"};
    assert_int_equal(read_made(mamba, kv, &err), GGUF_OK);
    assert_false(h.has_forward);
    assert_true(h.layer[0].recurrent && !h.layer[0].own_cache);
    assert_true(!h.layer[2].recurrent && h.layer[2].own_cache);
    assert_int_equal(h.layer[2].kv_heads, 2);
    assert_int_equal(h.ssm_inner_size, 128);
    struct kv layers = {"jamba.block_count", U64, 1ull << 40, 0, NULL};
    assert_int_equal(read_made(mamba, layers, &err), GGUF_ERR_CORRUPT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_llama),
        cmocka_unit_test(test_windows),
        cmocka_unit_test(test_mla),
        cmocka_unit_test(test_impossible),
        cmocka_unit_test(test_impossible_experts),
        cmocka_unit_test(test_impossible_windows),
        cmocka_unit_test(test_missing),
        cmocka_unit_test(test_scaling),
        cmocka_unit_test(test_unknown_architecture),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
