/* The models under evaluation: opening, comparing vocabularies, evaluating. */
#include "tools/gguf-eval/eval.h"

#include <stdlib.h>
#include <string.h>

/* ---- Opening -------------------------------------------------------------------- */

void subject_name(struct subject *s, const char *name)
{
    s->name = name;
    gguf_str_escape(s->label, sizeof s->label, (struct gguf_str){name, strlen(name)});
}

static void count_weights(struct subject *s)
{
    for (size_t i = 0; i < gguf_tensor_count(s->gguf); i++) {
        s->weights += gguf_tensor_at(s->gguf, i)->elements;
        s->weight_bytes += gguf_tensor_at(s->gguf, i)->bytes;
    }
    for (size_t i = 0; i < gguf_file_count(s->gguf); i++)
        s->bytes += gguf_file_at(s->gguf, i)->file_bytes;
}

static void open_subject(struct subject *s, const char *path, const struct request *r)
{
    struct gguf_error err;
    struct model_settings settings = {
        .activations = r->activations, .threads = r->threads, .has_cpu = true, .cpu = r->cpu};
    subject_name(s, path);
    s->gguf = open_file(path, GGUF_OPEN_MAP);
    if (model_open(&s->model, s->gguf, &settings, &err) != GGUF_OK)
        die_of(path, &err);
    count_weights(s);
}

/* ---- Vocabularies --------------------------------------------------------------- */

static bool has_vocabulary(const struct gguf *gguf)
{
    return gguf_kv_find(gguf, "tokenizer.ggml.tokens") != NULL;
}

/* Dies where a token has another text than in the base. */
static void compare_tokens(const struct subjects *subjects, const struct subject *s,
                           const struct tokenizer *other)
{
    const char *base = subjects->list[0].name;
    size_t n = tokenizer_count(subjects->tokenizer);
    if (tokenizer_count(other) != n)
        cli_die("%s: the vocabulary does not match: %zu tokens, and %zu in %s", s->name,
                tokenizer_count(other), n, base);
    for (size_t id = 0; id < n; id++) {
        struct gguf_str a = tokenizer_token(subjects->tokenizer, (int32_t)id);
        struct gguf_str b = tokenizer_token(other, (int32_t)id);
        if (gguf_str_compare(a, b) != 0)
            cli_die(
                "%s: the vocabulary does not match: token %zu is \"%.*s\", and \"%.*s\" in %s",
                s->name, id, (int)(b.size < 40 ? b.size : 40), b.data,
                (int)(a.size < 40 ? a.size : 40), a.data, base);
    }
}

static void check_vocabulary(const struct subjects *subjects, const struct subject *s)
{
    size_t columns = model_hparams(s->model)->vocab;
    if (columns != subjects->vocab)
        cli_die("%s: the vocabulary does not match: %zu logits, and %zu in %s", s->name,
                columns, subjects->vocab, subjects->list[0].name);
    if (!subjects->tokenizer || !has_vocabulary(s->gguf))
        return;
    struct tokenizer *other = open_tokenizer(s->gguf, s->name);
    compare_tokens(subjects, s, other);
    tokenizer_close(other);
}

void subjects_open(struct subjects *subjects, const struct request *r)
{
    *subjects = (struct subjects){.count = (size_t)r->n_files};
    subjects->list = cli_alloc(subjects->count, sizeof *subjects->list);
    for (size_t i = 0; i < subjects->count; i++)
        open_subject(&subjects->list[i], r->files[i], r);
    const struct subject *base = &subjects->list[0];
    subjects->vocab = model_hparams(base->model)->vocab;
    if (has_vocabulary(base->gguf))
        subjects->tokenizer = open_tokenizer(base->gguf, base->name);
    for (size_t i = 1; i < subjects->count; i++)
        check_vocabulary(subjects, &subjects->list[i]);
    if (r->sweep)
        sweep_open(subjects, r);
}

void subjects_close(struct subjects *subjects)
{
    for (size_t i = 0; i < subjects->count; i++) {
        struct subject *s = &subjects->list[i];
        metrics_free(&s->metrics);
        free(s->tensor_rmse);
        model_context_free(s->context);
        model_close(s->model);
    }
    tokenizer_close(subjects->tokenizer);
    sweep_close(subjects->sweep);
    for (size_t i = 0; i < subjects->count; i++) {
        if (!subjects->list[i].is_sweep)
            gguf_close(subjects->list[i].gguf);
    }
    free(subjects->list);
}

void subjects_contexts(struct subjects *subjects, uint32_t n_ctx)
{
    struct gguf_error err;
    const struct model_shape shape = {.n_ctx = n_ctx, .sequences = 1};
    for (size_t i = 0; i < subjects->count; i++) {
        struct subject *s = &subjects->list[i];
        if (model_context_new(&s->context, s->model, &shape, &err) != GGUF_OK)
            die_of(s->name, &err);
    }
}

double subject_bpw(const struct subject *s)
{
    return s->weights ? 8.0 * (double)s->weight_bytes / (double)s->weights : 0;
}

/* ---- Evaluating ----------------------------------------------------------------- */

void subject_eval(struct subject *s, const uint32_t *tokens, size_t n, uint32_t from,
                  const bool *wanted)
{
    struct gguf_error err;
    const struct model_batch batch = {.tokens = tokens, .wanted = wanted, .n = n};
    double start = term_seconds();
    model_context_truncate(s->context, 0, from);
    if (model_eval(s->context, &batch, &err) != GGUF_OK)
        die_of(s->name, &err);
    s->seconds += term_seconds() - start;
    s->tokens += n;
}

void subject_logits(struct subject *s, size_t first, size_t n, float *logits)
{
    struct gguf_error err;
    double start = term_seconds();
    if (model_logits(s->context, first, n, logits, &err) != GGUF_OK)
        die_of(s->name, &err);
    s->seconds += term_seconds() - start;
}
