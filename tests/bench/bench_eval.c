/*
 * bench_eval MODEL.gguf [CHUNKS [THREADS [f32]]]: speed of the forward pass on chunks of 512
 * tokens, the second half's logits wanted, as perplexity needs them. Prints tokens/s, GFLOPS
 * and the memory beside the weights.
 */
#include "model/model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { CHUNK = 512 };

static struct gguf_error err;

static void must(enum gguf_status status)
{
    if (!status)
        return;
    fprintf(stderr, "bench_eval: %s\n", err.message);
    exit(2);
}

static double now(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Multiply-adds of all matrices for one token, in operations. */
static double operations(const struct gguf *gguf, const struct model_hparams *h)
{
    double sum = 0.0;
    for (size_t i = 0; i < gguf_tensor_count(gguf); i++) {
        const struct gguf_tensor *t = gguf_tensor_at(gguf, i);
        if (t->n_dims == 2 && !gguf_str_equal(t->name, "token_embd.weight"))
            sum += 2.0 * (double)t->elements * (t->ne[1] == h->vocab ? 0.5 : 1.0);
    }
    return sum;
}

static float evaluate(struct model_context *context, float *logits, size_t vocab)
{
    static uint32_t tokens[CHUNK];
    static bool wanted[CHUNK];
    for (size_t i = 0; i < CHUNK; i++) {
        tokens[i] = (uint32_t)(i * 2654435761u % vocab);
        wanted[i] = i >= CHUNK / 2;
    }
    struct model_batch batch = {.tokens = tokens, .wanted = wanted, .n = CHUNK};
    model_context_reset(context);
    must(model_eval(context, &batch, &err));
    must(model_logits(context, 0, CHUNK / 2, logits, &err));
    return logits[0];
}

int main(int argc, char **argv)
{
    struct gguf *gguf = NULL;
    struct model *model = NULL;
    struct model_context *context = NULL;
    struct model_settings settings = {0};
    struct model_shape shape = {CHUNK, 1};
    if (argc < 2) {
        fprintf(stderr, "usage: bench_eval MODEL.gguf [CHUNKS [THREADS [f32]]]\n");
        return 2;
    }
    int chunks = argc > 2 ? (int)strtol(argv[2], NULL, 10) : 2;
    settings.threads = argc > 3 ? (int)strtol(argv[3], NULL, 10) : 0;
    if (argc > 4 && strcmp(argv[4], "f32") == 0)
        settings.activations = MODEL_ACTIVATIONS_F32;
    must(gguf_open(&gguf, argv[1], GGUF_OPEN_MAP, &err));
    must(model_open(&model, gguf, &settings, &err));
    must(model_context_new(&context, model, &shape, &err));
    const struct model_hparams *h = model_hparams(model);
    float *logits = malloc((size_t)CHUNK / 2 * h->vocab * sizeof(float));
    if (!logits)
        return 2;
    double best = 1e30, check = (double)evaluate(context, logits, h->vocab);
    for (int i = 0; i < chunks; i++) {
        double start = now();
        (void)evaluate(context, logits, h->vocab);
        double seconds = now() - start;
        best = seconds < best ? seconds : best;
    }
    printf("%.1f tokens/s, %.0f GFLOPS, %.0f MB beside %.0f MB of weights (logit %g)\n",
           CHUNK / best, operations(gguf, h) * CHUNK / best * 1e-9,
           (double)model_context_bytes(context) * 1e-6,
           (double)model_weight_bytes(model) * 1e-6, check);
    free(logits);
    model_context_free(context);
    model_close(model);
    gguf_close(gguf);
    return 0;
}
