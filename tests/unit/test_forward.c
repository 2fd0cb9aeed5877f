/* The forward pass against logits of another implementation. */
#include "tests/unit/golden.h"

/* Models with the largest difference allowed in exact and in engine-like arithmetic. */
static const struct golden {
    const char *name;
    const char *folder;
    double engine;
    double shipped; /* from the engine's own logits; 0: single roundings decide */
} goldens[] = {
    {"llama", GOLDEN, 1e-4, 2e-3},         {"llama-tied", GOLDEN, 1e-4, 2e-3},
    {"llama-moe", GOLDEN, 1e-4, 2e-3},     {"llama-llama3rope", GOLDEN, 1e-4, 2e-3},
    {"llama-f16", GOLDEN, 1e-2, 0},        {"llama-q8_0", GOLDEN, 0.4, 0},
    {"llama-q4_k_m", GOLDEN, 0.4, 1e-4},   {"qwen2", GOLDEN, 1e-4, 2e-3},
    {"qwen2moe", GOLDEN, 1e-4, 2e-3},      {"qwen3", GOLDEN, 1e-4, 2e-3},
    {"qwen3moe", GOLDEN, 1e-4, 2e-3},      {"gemma", GOLDEN, 5e-3, 2e-3},
    {"gemma2", GOLDEN, 5e-3, 2e-3},        {"gemma3", GOLDEN, 5e-3, 2e-3},
    {"phi2", GOLDEN, 5e-3, 2e-3},          {"phi3", GOLDEN, 1e-4, 2e-3},
    {"gpt2", GOLDEN, 5e-3, 2e-3},          {"gptneox", GOLDEN, 5e-3, 2e-3},
    {"falcon", GOLDEN, 5e-3, 2e-3},        {"starcoder2", GOLDEN, 5e-3, 2e-3},
    {"stablelm", GOLDEN, 1e-4, 2e-3},      {"olmo2", GOLDEN, 1e-4, 2e-3},
    {"granite", GOLDEN, 1e-4, 2e-3},       {"smollm3", GOLDEN, 1e-4, 2e-3},
    {"cohere2", GOLDEN, 1e-4, 2e-3},       {"glm4", GOLDEN, 1e-4, 2e-3},
    {"deepseek2-mla", GOLDEN, 1e-4, 2e-3}, {"stories260K-Q8_0", GOLDEN, 0.4, 0},
    {"stories260K-Q4_0", GOLDEN, 0.4, 0},  {"stories260K", "../shared/models/", 1e-4, 2e-3},
};
#define N_GOLDENS (sizeof goldens / sizeof goldens[0])

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

/* ---- Golden logits --------------------------------------------------------------- */

static void compare_golden(const struct golden *g, const char *suffix,
                           const struct model_settings *settings, double limit)
{
    struct opened o;
    open_golden(&o, g->folder, g->name, settings, 1);
    struct model_batch batch = {.tokens = o.tokens, .n = o.n};
    float *logits = evaluate(&o, &batch);
    size_t count = o.n * model_hparams(o.model)->vocab;
    float *want = read_logits(g->name, suffix, count);
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
        compare_golden(&goldens[i], "ref.f32", &exact, 1e-4);
}

static void test_engine(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_GOLDENS; i++)
        compare_golden(&goldens[i], "ref.f32", NULL, goldens[i].engine);
}

/* Against the engine as shipped. What differs is single roundings that fall to the other
 * side: they cost little without quantized weights, and the more the earlier they are. */
static void test_shipped_engine(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_GOLDENS; i++)
        if (goldens[i].shipped != 0.0)
            compare_golden(&goldens[i], "logits.f32", NULL, goldens[i].shipped);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_exact),
        cmocka_unit_test(test_engine),
        cmocka_unit_test(test_shipped_engine),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
