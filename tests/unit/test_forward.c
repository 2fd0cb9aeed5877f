/* The forward pass against logits of another implementation, and its own promises. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "model/model.h"

#define GOLDEN "../shared/golden-eval/"

/* Models with the largest difference allowed in exact and in engine-like arithmetic. */
static const struct golden {
    const char *name;
    const char *folder;
    double engine;
} goldens[] = {
    {"llama", GOLDEN, 1e-4},
    {"llama-tied", GOLDEN, 1e-4},
    {"llama-moe", GOLDEN, 1e-4},
    {"llama-llama3rope", GOLDEN, 1e-4},
    {"llama-f16", GOLDEN, 1e-2},
    {"llama-q8_0", GOLDEN, 0.4},
    {"llama-q4_k_m", GOLDEN, 0.4},
    {"qwen2", GOLDEN, 1e-4},
    {"qwen2moe", GOLDEN, 1e-4},
    {"qwen3", GOLDEN, 1e-4},
    {"qwen3moe", GOLDEN, 1e-4},
    {"gemma", GOLDEN, 5e-3},
    {"gemma2", GOLDEN, 5e-3},
    {"gemma3", GOLDEN, 5e-3},
    {"phi2", GOLDEN, 5e-3},
    {"phi3", GOLDEN, 1e-4},
    {"gpt2", GOLDEN, 5e-3},
    {"gptneox", GOLDEN, 5e-3},
    {"falcon", GOLDEN, 5e-3},
    {"starcoder2", GOLDEN, 5e-3},
    {"stablelm", GOLDEN, 1e-4},
    {"olmo2", GOLDEN, 1e-4},
    {"granite", GOLDEN, 1e-4},
    {"smollm3", GOLDEN, 1e-4},
    {"cohere2", GOLDEN, 1e-4},
    {"glm4", GOLDEN, 1e-4},
    {"deepseek2-mla", GOLDEN, 1e-4},
    {"stories260K-Q8_0", GOLDEN, 0.4},
    {"stories260K-Q4_0", GOLDEN, 0.4},
    {"stories260K", "../shared/models/", 1e-4},
};
#define N_GOLDENS (sizeof goldens / sizeof goldens[0])

/* ---- Helpers -------------------------------------------------------------------------------
 */

struct opened {
    struct gguf *gguf;
    struct model *model;
    struct model_context *context;
    uint32_t tokens[256];
    size_t n;
};

static size_t read_tokens(const char *path, uint32_t *tokens, size_t capacity)
{
    FILE *file = fopen(path, "r");
    size_t n = 0;
    assert_non_null(file);
    char word[32];
    while (n < capacity && fscanf(file, "%31s", word) == 1)
        tokens[n++] = (uint32_t)strtoul(word, NULL, 10);
    assert_int_equal(fclose(file), 0);
    return n;
}

/* A golden model with its tokens, and a context for `sequences` times as many. */
static void open_golden(struct opened *o, const struct golden *g,
                        const struct model_settings *settings, uint32_t sequences)
{
    char path[256];
    struct gguf_error err = {0};
    (void)snprintf(path, sizeof path, "%s%s.gguf", g->folder, g->name);
    if (access(path, R_OK) != 0) {
        print_message("%s is absent\n", path);
        skip();
    }
    if (gguf_open(&o->gguf, path, GGUF_OPEN_MAP, &err) != GGUF_OK ||
        model_open(&o->model, o->gguf, settings, &err) != GGUF_OK)
        fail_msg("%s: %s", g->name, err.message);
    (void)snprintf(path, sizeof path, GOLDEN "%s.tokens", g->name);
    o->n = read_tokens(path, o->tokens, 256);
    struct model_shape shape = {(uint32_t)o->n, sequences};
    if (model_context_new(&o->context, o->model, &shape, &err) != GGUF_OK)
        fail_msg("%s: %s", g->name, err.message);
}

static void close_golden(struct opened *o)
{
    model_context_free(o->context);
    model_close(o->model);
    gguf_close(o->gguf);
}

/* Logits of the wanted tokens of a batch, to be freed. */
static float *evaluate(struct opened *o, const struct model_batch *batch)
{
    struct gguf_error err = {0};
    if (model_eval(o->context, batch, &err) != GGUF_OK)
        fail_msg("%s", err.message);
    size_t n = model_wanted(o->context), vocab = model_hparams(o->model)->vocab;
    float *logits = malloc((n * vocab + 1) * sizeof(float));
    assert_non_null(logits);
    if (model_logits(o->context, 0, n, logits, &err) != GGUF_OK)
        fail_msg("%s", err.message);
    return logits;
}

static float *read_logits(const char *name, const char *suffix, size_t count)
{
    char path[256];
    (void)snprintf(path, sizeof path, GOLDEN "%s.%s", name, suffix);
    FILE *file = fopen(path, "rb");
    float *logits = malloc(count * sizeof(float));
    assert_true(file && logits);
    assert_int_equal(fread(logits, sizeof(float), count, file), count);
    assert_int_equal(fclose(file), 0);
    return logits;
}

static double largest_difference(const float *a, const float *b, size_t n)
{
    double most = 0.0;
    for (size_t i = 0; i < n; i++) {
        double d = fabs((double)a[i] - (double)b[i]);
        most = d > most || d != d ? d : most;
    }
    return most;
}

/* ---- Golden logits
 * ---------------------------------------------------------------------------- */

static void compare_golden(const struct golden *g, const struct model_settings *settings,
                           double limit)
{
    struct opened o;
    open_golden(&o, g, settings, 1);
    struct model_batch batch = {.tokens = o.tokens, .n = o.n};
    float *logits = evaluate(&o, &batch);
    size_t count = o.n * model_hparams(o.model)->vocab;
    float *want = read_logits(g->name, "ref.f32", count);
    double most = largest_difference(logits, want, count);
    if (!(most <= limit))
        fail_msg("%s: logits differ by %g, allowed are %g", g->name, most, limit);
    free(want);
    free(logits);
    close_golden(&o);
}

static void test_exact(void **state)
{
    (void)state;
    struct model_settings exact = {.activations = MODEL_ACTIVATIONS_F32};
    for (size_t i = 0; i < N_GOLDENS; i++)
        compare_golden(&goldens[i], &exact, 1e-4);
}

static void test_engine(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_GOLDENS; i++)
        compare_golden(&goldens[i], NULL, goldens[i].engine);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_exact),
        cmocka_unit_test(test_engine),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
