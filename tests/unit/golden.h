/* Models of ../shared/golden-eval, opened and evaluated. */
#ifndef GOLDEN_H
#define GOLDEN_H

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

struct opened {
    struct gguf *gguf;
    struct model *model;
    struct model_context *context;
    uint32_t tokens[256];
    size_t n;
};

static inline size_t read_tokens(const char *path, uint32_t *tokens, size_t capacity)
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

/* The model at `folder` with its tokens, and a context for `sequences` times as many. */
static inline void open_golden(struct opened *o, const char *folder, const char *name,
                               const struct model_settings *settings, uint32_t sequences)
{
    char path[256];
    struct gguf_error err = {0};
    (void)snprintf(path, sizeof path, "%s%s.gguf", folder, name);
    if (access(path, R_OK) != 0) {
        print_message("%s is absent\n", path);
        skip();
    }
    if (gguf_open(&o->gguf, path, GGUF_OPEN_MAP, &err) != GGUF_OK ||
        model_open(&o->model, o->gguf, settings, &err) != GGUF_OK)
        fail_msg("%s: %s", name, err.message);
    (void)snprintf(path, sizeof path, GOLDEN "%s.tokens", name);
    o->n = read_tokens(path, o->tokens, 256);
    struct model_shape shape = {(uint32_t)o->n, sequences};
    if (model_context_new(&o->context, o->model, &shape, &err) != GGUF_OK)
        fail_msg("%s: %s", name, err.message);
}

static inline void close_golden(struct opened *o)
{
    model_context_free(o->context);
    model_close(o->model);
    gguf_close(o->gguf);
}

/* Logits of the wanted tokens of a batch, to be freed. */
static inline float *evaluate(struct opened *o, const struct model_batch *batch)
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

#endif
