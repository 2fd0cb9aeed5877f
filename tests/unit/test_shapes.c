/* Whole models with sizes that no golden model has. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/tiny_model.h"

enum { VOCAB = 12, TOKENS = 3 };

static struct tiny_model m;

/* Two layers of two heads of four elements. */
static void begin(const char *architecture)
{
    m.architecture = architecture;
    m.n_keys = m.n_parts = 0;
    m.layers = 2;
    m.shift = 0;
    m.type = GGUF_F32;
    tiny_key(&m, "block_count", TINY_U32, 2);
    tiny_key(&m, "embedding_length", TINY_U32, 8);
    tiny_key(&m, "context_length", TINY_U32, 16);
    tiny_key(&m, "vocab_size", TINY_U32, VOCAB);
    tiny_key(&m, "feed_forward_length", TINY_U32, 8);
    tiny_key(&m, "attention.head_count", TINY_U32, 2);
    tiny_key(&m, "attention.layer_norm_epsilon", TINY_F32, 1);
    tiny_key(&m, "attention.layer_norm_rms_epsilon", TINY_F32, 1);
}

static void evaluate(float logits[TOKENS * VOCAB])
{
    static const uint32_t tokens[TOKENS] = {1, 11, 5};
    struct gguf *gguf = NULL;
    struct model *model = NULL;
    struct model_context *context = NULL;
    struct gguf_error err;
    const struct model_shape shape = {TOKENS, 1};
    struct model_batch batch = {.tokens = tokens, .n = TOKENS};
    if (tiny_open(&m, &gguf, &model, NULL, &err) != GGUF_OK ||
        model_context_new(&context, model, &shape, &err) != GGUF_OK ||
        model_eval(context, &batch, &err) != GGUF_OK ||
        model_logits(context, 0, TOKENS, logits, &err) != GGUF_OK)
        fail_msg("%s: %s", m.architecture, err.message);
    model_context_free(context);
    model_close(model);
    gguf_close(gguf);
}

static void same(const float *a, const float *b)
{
    for (size_t i = 0; i < (size_t)TOKENS * VOCAB; i++)
        assert_true(a[i] == b[i]);
}

static void test_every_architecture(void **state)
{
    (void)state;
    for (size_t i = 0; model_architecture_at(i); i++) {
        float logits[TOKENS * VOCAB] = {0}, least = INFINITY, most = -INFINITY;
        begin(model_architecture_at(i));
        tiny_key(&m, "attention.kv_lora_rank", TINY_U32, 4);
        tiny_key(&m, "rope.dimension_count", TINY_U32, 2);
        evaluate(logits);
        for (size_t j = 0; j < (size_t)TOKENS * VOCAB; j++) {
            least = logits[j] < least ? logits[j] : least;
            most = logits[j] > most ? logits[j] : most;
        }
        assert_true(isfinite(least) && isfinite(most) && most > least);
    }
}

static void begin_latent(bool absorbed, uint32_t key, uint32_t value)
{
    begin("deepseek2");
    tiny_key(&m, "attention.kv_lora_rank", TINY_U32, 4);
    tiny_key(&m, "attention.q_lora_rank", TINY_U32, 6);
    tiny_key(&m, "rope.dimension_count", TINY_U32, 2);
    tiny_key(&m, "attention.key_length_mla", TINY_U32, key);
    tiny_key(&m, "attention.value_length_mla", TINY_U32, value);
    if (absorbed) {
        (void)tiny_part(&m, "blk.0.attn_k_b.weight");
        (void)tiny_part(&m, "blk.1.attn_k_b.weight");
    }
}

/* Heads that are longer or shorter than the compressed ones, and than what the keys of
 * ordinary attention say, which must not matter. */
static void test_latent_lengths(void **state)
{
    (void)state;
    static const uint32_t lengths[][2] = {{12, 10}, {4, 1}, {3, 40}, {40, 3}};
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++)
        for (int absorbed = 0; absorbed < 2; absorbed++) {
            float a[TOKENS * VOCAB], b[TOKENS * VOCAB];
            begin_latent(absorbed, lengths[i][0], lengths[i][1]);
            tiny_key(&m, "attention.key_length", TINY_U32, lengths[i][0]);
            tiny_key(&m, "attention.value_length", TINY_U32, lengths[i][1]);
            evaluate(a);
            begin_latent(absorbed, lengths[i][0], lengths[i][1]);
            tiny_key(&m, "attention.key_length", TINY_U32, 2);
            tiny_key(&m, "attention.value_length", TINY_U32, 1);
            evaluate(b);
            same(a, b);
        }
}

/* A window longer than the text in every layer, with lengths of its own, is as good as none. */
static void test_sliding_lengths(void **state)
{
    (void)state;
    float sliding[TOKENS * VOCAB], full[TOKENS * VOCAB];
    begin("gemma3");
    tiny_key(&m, "attention.sliding_window", TINY_U32, 16);
    tiny_key(&m, "attention.sliding_window_pattern", TINY_U32, 0); /* no layer is full */
    tiny_key(&m, "attention.key_length_swa", TINY_U32, 12);
    tiny_key(&m, "attention.value_length_swa", TINY_U32, 20);
    tiny_key(&m, "rope.dimension_count_swa", TINY_U32, 12);
    evaluate(sliding);
    begin("gemma3");
    tiny_key(&m, "attention.key_length", TINY_U32, 12);
    tiny_key(&m, "attention.value_length", TINY_U32, 20);
    evaluate(full);
    same(sliding, full);
}

/* A file in memory need not be aligned. */
static void test_shifted(void **state)
{
    (void)state;
    static const uint32_t types[] = {GGUF_Q8_0, GGUF_F16, GGUF_F32};
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        float aligned[TOKENS * VOCAB];
        for (size_t shift = 0; shift < 8; shift++) {
            float logits[TOKENS * VOCAB];
            begin("llama");
            m.type = types[i];
            tiny_key(&m, "embedding_length", TINY_U32, 32);
            tiny_key(&m, "feed_forward_length", TINY_U32, 64);
            m.shift = shift;
            evaluate(logits);
            if (shift == 0)
                memcpy(aligned, logits, sizeof aligned);
            same(aligned, logits);
        }
    }
}

/* The keys say that there is a shared expert: all three of its tensors have to be there. */
static void test_shared_expert(void **state)
{
    (void)state;
    float plain[TOKENS * VOCAB], shared[TOKENS * VOCAB];
    begin("granite");
    tiny_key(&m, "expert_count", TINY_U32, 4);
    tiny_key(&m, "expert_used_count", TINY_U32, 2);
    evaluate(plain);
    tiny_key(&m, "expert_shared_feed_forward_length", TINY_U32, 20);
    m.n_parts = 0;
    evaluate(shared);
    assert_memory_not_equal(plain, shared, sizeof plain);
    size_t n = 0;
    for (size_t i = 0; i < m.n_parts; i++)
        n += strstr(m.parts[i].name, "_shexp.weight") != NULL;
    assert_int_equal(n, 2 * 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_architecture), cmocka_unit_test(test_latent_lengths),
        cmocka_unit_test(test_sliding_lengths),    cmocka_unit_test(test_shifted),
        cmocka_unit_test(test_shared_expert),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
