/*
 * One pass over the text with all models. The text is cut into windows; each model sees a
 * window, and the same positions of all models are scored side by side, so that no logits
 * have to be kept.
 *
 *     chunks   |. . . . x x x x|. . . . x x x x|...     x: scored
 *     stride   |. x x x x x x x|
 *                  |. . . . . . x x|
 *                      |. . . . . . x x|
 */
#include "tools/gguf-eval/eval.h"

#include <omp.h>
#include <stdlib.h>
#include <string.h>

#define LOGITS_BYTES (64u << 20) /* of all models together, while they are compared */
#define LEAST_SCORED 100         /* before --until-error may stop */

struct window {
    size_t begin, size; /* tokens of the text */
    size_t first;       /* token of the window, counted in it, that is scored first */
};

/* ---- Tokens --------------------------------------------------------------------- */

static void encode(struct measurement *m, const struct subjects *subjects,
                   const struct request *r)
{
    if (!subjects->tokenizer)
        cli_die("%s: has no vocabulary to tokenize the text with; give ids with --tokens",
                subjects->list[0].name);
    m->text = text_read(r->text);
    text_encode(m->text, subjects->tokenizer, subjects->list[0].name, &m->tokens);
}

void check_ids(const struct token_list *list, const struct subjects *subjects,
               const char *source)
{
    text_check_ids(list, subjects->list[0].model, subjects->list[0].name, source);
}

static void choose_windows(struct measurement *m, const struct subjects *subjects,
                           const struct request *r)
{
    m->chunk = text_chunk_size(r->chunk, subjects->list[0].model, subjects->list[0].name);
    m->stride = (uint32_t)r->stride;
    if (m->stride > m->chunk)
        cli_die("--stride: %u is more than the %u tokens of a chunk", m->stride, m->chunk);
    size_t n = m->tokens.count;
    m->windows_total = text_chunks(&m->tokens, m->chunk, r->text ? r->text : r->tokens);
    if (m->stride)
        m->windows_total = 1 + (n - m->chunk + m->stride - 1) / m->stride;
    if (r->chunks && r->chunks < m->windows_total)
        m->windows_total = (size_t)r->chunks;
}

/* With a stride each window scores what the one before it has not seen. */
static struct window window_at(const struct measurement *m, size_t i)
{
    if (!m->stride)
        return (struct window){i * m->chunk, m->chunk, m->chunk / 2 + 1};
    size_t begin = i * m->stride;
    size_t end = begin + m->chunk < m->tokens.count ? begin + m->chunk : m->tokens.count;
    size_t seen = i ? begin - m->stride + m->chunk : 0;
    size_t first = seen > begin ? seen - begin : 1;
    return (struct window){begin, end - begin, first};
}

/* ---- Scoring -------------------------------------------------------------------- */

struct scoring {
    struct measurement *m;
    struct subjects *subjects;
    uint32_t *tokens;             /* [chunk], of the window */
    bool *wanted;                 /* [chunk] */
    size_t rows;                  /* positions that are compared at once */
    float **logits;               /* [subjects] of [rows][vocab] */
    struct metrics_score *scores; /* [rows][subjects] */
    int threads;
    struct metrics_base *bases; /* [threads] */
};

static void scoring_init(struct scoring *s, struct measurement *m, struct subjects *subjects,
                         int threads)
{
    size_t row = subjects->vocab * sizeof(float) * subjects->count;
    size_t rows = LOGITS_BYTES / row;
    *s = (struct scoring){.m = m, .subjects = subjects};
    s->rows = rows < 1 ? 1 : rows > m->chunk ? m->chunk : rows;
    s->tokens = cli_alloc(m->chunk, sizeof *s->tokens);
    s->wanted = cli_alloc(m->chunk, sizeof *s->wanted);
    s->logits = cli_alloc(subjects->count, sizeof *s->logits);
    s->scores = cli_alloc(s->rows * subjects->count, sizeof *s->scores);
    for (size_t i = 0; i < subjects->count; i++)
        s->logits[i] = cli_alloc(s->rows * subjects->vocab, sizeof **s->logits);
    s->threads = threads ? threads : omp_get_max_threads();
    s->bases = cli_alloc((size_t)s->threads, sizeof *s->bases);
    for (int i = 0; i < s->threads; i++) {
        if (!metrics_base_init(&s->bases[i], subjects->vocab))
            cli_die_memory();
    }
}

static void scoring_free(struct scoring *s)
{
    for (size_t i = 0; i < s->subjects->count; i++)
        free(s->logits[i]);
    for (int i = 0; i < s->threads; i++)
        metrics_base_free(&s->bases[i]);
    free(s->bases);
    free(s->logits);
    free(s->scores);
    free(s->wanted);
    free(s->tokens);
}

/* Position `row` of all models against the base. */
static void score_row(const struct scoring *s, struct metrics_base *base, size_t row,
                      uint32_t right)
{
    size_t n = s->subjects->count, vocab = s->subjects->vocab;
    if (n > 1)
        metrics_base_set(base, s->logits[0] + row * vocab);
    metrics_score(NULL, s->logits[0] + row * vocab, vocab, right, &s->scores[row * n]);
    for (size_t i = 1; i < n; i++)
        metrics_score(base, s->logits[i] + row * vocab, vocab, right, &s->scores[row * n + i]);
}

/* Scores `n` positions whose next tokens are right[0..n). */
static void score_rows(const struct scoring *s, const uint32_t *right, size_t n)
{
#pragma omp parallel for num_threads(s->threads)
    for (size_t row = 0; row < n; row++)
        score_row(s, &s->bases[omp_get_thread_num()], row, right[row]);
}

static void add_scores(const struct scoring *s, size_t n)
{
    for (size_t row = 0; row < n; row++) {
        for (size_t i = 0; i < s->subjects->count; i++) {
            if (!metrics_add(&s->subjects->list[i].metrics,
                             &s->scores[row * s->subjects->count + i]))
                cli_die_memory();
        }
    }
}

static void count_bytes(struct measurement *m, const struct subjects *subjects,
                        const struct window *w)
{
    m->scored += w->size - w->first;
    for (size_t i = w->first; i < w->size && subjects->tokenizer; i++)
        m->scored_bytes += tokenizer_piece(subjects->tokenizer, m->tokens.ids[w->begin + i],
                                           TOKENIZER_PARSE_SPECIAL, NULL, 0);
}

/* With a stride BOS comes once, before the text. */
static void fill_window(struct scoring *s, const struct window *w)
{
    for (size_t i = 0; i < w->size; i++) {
        s->tokens[i] = (uint32_t)s->m->tokens.ids[w->begin + i];
        s->wanted[i] = i + 1 >= w->first && i + 1 < w->size;
    }
    if (!s->m->stride)
        text_begin_chunk(s->subjects->tokenizer, s->tokens);
}

static void score_window(struct scoring *s, const struct window *w)
{
    size_t n = w->size - w->first;
    fill_window(s, w);
    for (size_t i = 0; i < s->subjects->count; i++)
        subject_eval(&s->subjects->list[i], s->tokens, w->size, 0, s->wanted);
    for (size_t at = 0, rows; at < n; at += rows) {
        rows = n - at < s->rows ? n - at : s->rows;
        for (size_t i = 0; i < s->subjects->count; i++)
            subject_logits(&s->subjects->list[i], at, rows, s->logits[i]);
        score_rows(s, s->tokens + w->first + at, rows);
        add_scores(s, rows);
    }
    count_bytes(s->m, s->subjects, w);
}

/* ---- The pass ----------------------------------------------------------------------- */

/* Whether the perplexity of every model is known well enough. */
static bool is_tight(const struct subjects *subjects, double share)
{
    if (share <= 0 || subjects->list[0].metrics.count < LEAST_SCORED)
        return false;
    for (size_t i = 0; i < subjects->count; i++) {
        struct metrics_mean p = metrics_perplexity(&subjects->list[i].metrics);
        if (!(p.error <= share * p.value))
            return false;
    }
    return true;
}

static void summarize(struct subjects *subjects)
{
    for (size_t i = 0; i < subjects->count; i++) {
        struct subject *s = &subjects->list[i];
        if (!metrics_summarize(&s->metrics, &subjects->list[0].metrics, &s->summary))
            cli_die_memory();
    }
}

void measure(struct measurement *m, struct subjects *subjects, const struct request *r)
{
    struct scoring scoring;
    struct progress progress;
    *m = (struct measurement){0};
    if (r->tokens)
        text_read_ids(r->tokens, &m->tokens);
    else
        encode(m, subjects, r);
    check_ids(&m->tokens, subjects, r->tokens ? r->tokens : r->text);
    choose_windows(m, subjects, r);
    subjects_contexts(subjects, m->chunk);
    scoring_init(&scoring, m, subjects, r->threads);
    progress_start(&progress, "tokens", m->windows_total * m->chunk, r->quiet);
    while (m->windows < m->windows_total && !m->stopped_early) {
        struct window w = window_at(m, m->windows++);
        score_window(&scoring, &w);
        m->stopped_early = is_tight(subjects, r->until_error) && m->windows < m->windows_total;
        progress_update(&progress, m->windows * m->chunk, (struct gguf_str){"", 0});
    }
    progress_end(&progress);
    scoring_free(&scoring);
    summarize(subjects);
}

void measurement_free(struct measurement *m)
{
    token_list_free(&m->tokens);
    text_free(&m->text);
}

double bits_per_byte(const struct measurement *m, const struct subject *s)
{
    static const double ln_2 = 0.69314718055994530942;
    double nats = 0;
    for (size_t i = 0; i < s->metrics.count; i++)
        nats += s->metrics.nll[i];
    return m->scored_bytes ? nats / ln_2 / (double)m->scored_bytes : 0;
}
