/*
 * --recall: a fact is hidden in a long text and asked for at the end. For each length of the
 * text and each depth: how likely the model finds the tokens of the answer, and whether each
 * of them is its first choice.
 */
#include "tools/gguf-eval/eval.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

#define BYTES_OF_TOKEN 64   /* a text of so many bytes for each token is long enough */
#define RECALL_CHUNK   2048 /* tokens, where nobody says otherwise */

#define LENGTHS 4 /* from a quarter of the chunk to all of it */
#define DEPTHS  5 /* 0, 25, 50, 75, 100 % of the text */

struct fact {
    const char *statement, *question, *answer;
};

#define FACTS ((size_t)3)
static const struct fact facts[FACTS] = {
    {"\nThe secret number of the lighthouse is 7481.\n",
     "\nQuestion: What is the secret number of the lighthouse?\nAnswer: The secret number of "
     "the lighthouse is",
     " 7481"},
    {"\nThe password of the old mill is walnut.\n",
     "\nQuestion: What is the password of the old mill?\nAnswer: The password of the old mill "
     "is",
     " walnut"},
    {"\nThe captain hid the key under the blue chair.\n",
     "\nQuestion: Where did the captain hide the key?\nAnswer: The captain hid the key under",
     " the blue chair"},
};

/* The tokens of a fact. */
struct pieces {
    struct token_list statement, question, answer;
};

struct cell {
    double p;     /* geometric mean of the answer's tokens, over all facts */
    size_t found; /* facts of which every token is the first choice */
};

struct grid {
    size_t lengths[LENGTHS];
    struct cell (*cells)[LENGTHS][DEPTHS]; /* [subjects] */
};

struct run {
    struct subjects *subjects;
    struct token_list text;
    struct pieces pieces[FACTS];
    struct grid grid;
    int32_t bos; /* or TOKENIZER_NONE */
    uint32_t *tokens;
    bool *wanted;
    float *logits;
};

static void encode(const struct run *run, struct gguf_str text, struct token_list *list)
{
    struct gguf_error err;
    if (tokenizer_encode(run->subjects->tokenizer, text, 0, list, &err) != GGUF_OK)
        die_of("--recall", &err);
    for (size_t i = 0; i < list->count; i++) {
        if ((size_t)list->ids[i] >= run->subjects->vocab)
            cli_die("--recall: the vocabulary has more tokens than the network");
    }
}

static size_t overhead(const struct pieces *p)
{
    return 1 + p->statement.count + p->question.count + p->answer.count;
}

static void prepare_text(struct run *run, const struct request *r)
{
    struct text text = text_read(r->text);
    size_t longest = run->grid.lengths[LENGTHS - 1];
    struct gguf_str start = {text.data, text.size};
    if (start.size > longest * BYTES_OF_TOKEN)
        start.size = longest * BYTES_OF_TOKEN;
    encode(run, start, &run->text);
    text_free(&text);
    if (run->text.count < longest)
        cli_die(
            "%s: the text has %zu tokens, and %zu are needed to hide a fact in; give a longer "
            "text or a smaller --chunk",
            r->text, run->text.count, longest);
}

static void prepare(struct run *run, const struct request *r)
{
    const struct tokenizer *t = run->subjects->tokenizer;
    uint32_t context = model_hparams(run->subjects->list[0].model)->context;
    uint64_t usual = context && context < RECALL_CHUNK ? context : RECALL_CHUNK;
    uint64_t chunk = r->chunk ? r->chunk : usual;
    size_t least = (size_t)chunk / LENGTHS;
    if (!t)
        cli_die("%s: has no vocabulary to tokenize the text with", r->files[0]);
    run->bos = tokenizer_adds_bos(t) ? tokenizer_special(t, TOKENIZER_BOS) : TOKENIZER_NONE;
    for (size_t f = 0; f < FACTS; f++) {
        encode(run, text_str(facts[f].statement), &run->pieces[f].statement);
        encode(run, text_str(facts[f].question), &run->pieces[f].question);
        encode(run, text_str(facts[f].answer), &run->pieces[f].answer);
        if (overhead(&run->pieces[f]) > least)
            least = overhead(&run->pieces[f]);
    }
    if (least > chunk)
        cli_die(
            "--recall: a fact and its question take %zu tokens, more than a chunk of %" PRIu64,
            least, chunk);
    for (size_t i = 0; i < LENGTHS; i++)
        run->grid.lengths[i] = least + ((size_t)chunk - least) * i / (LENGTHS - 1);
    prepare_text(run, r);
    subjects_contexts(run->subjects, (uint32_t)chunk);
    run->tokens = cli_alloc((size_t)chunk, sizeof *run->tokens);
    run->wanted = cli_alloc((size_t)chunk, sizeof *run->wanted);
    run->logits = cli_alloc(run->subjects->vocab, sizeof *run->logits);
    run->grid.cells = cli_alloc(run->subjects->count, sizeof *run->grid.cells);
}

static size_t put(struct run *run, size_t at, const int32_t *ids, size_t n)
{
    for (size_t i = 0; i < n; i++)
        run->tokens[at + i] = (uint32_t)ids[i];
    return at + n;
}

/* BOS, text, statement, text, question, answer: `length` tokens. */
static size_t fill(struct run *run, const struct pieces *p, size_t length, size_t depth)
{
    size_t text = length - overhead(p), before = text * depth / (DEPTHS - 1), n = 0;
    if (run->bos != TOKENIZER_NONE)
        run->tokens[n++] = (uint32_t)run->bos;
    n = put(run, n, run->text.ids, before);
    n = put(run, n, p->statement.ids, p->statement.count);
    n = put(run, n, run->text.ids + before, text - before);
    n = put(run, n, p->question.ids, p->question.count);
    n = put(run, n, p->answer.ids, p->answer.count);
    for (size_t i = 0; i < n; i++)
        run->wanted[i] = i + 1 >= n - p->answer.count && i + 1 < n;
    return n;
}

static void ask(struct run *run, size_t subject, size_t n, size_t answer, struct cell *cell)
{
    struct subject *s = &run->subjects->list[subject];
    double nll = 0;
    bool found = true;
    subject_eval(s, run->tokens, n, 0, run->wanted);
    for (size_t i = 0; i < answer; i++) {
        uint32_t right = run->tokens[n - answer + i];
        subject_logits(s, i, 1, run->logits);
        nll += metrics_nll(run->logits, run->subjects->vocab, right);
        for (size_t k = 0; k < run->subjects->vocab && found; k++)
            found = run->logits[k] <= run->logits[right];
    }
    cell->p += exp(-nll / (double)answer) / (double)FACTS;
    cell->found += found;
}

static void fill_grid(struct run *run, bool quiet)
{
    struct progress progress;
    uint64_t done = 0;
    progress_start(&progress, "facts", (uint64_t)LENGTHS * DEPTHS * FACTS, quiet);
    for (size_t l = 0; l < LENGTHS; l++) {
        for (size_t d = 0; d < DEPTHS; d++) {
            for (size_t f = 0; f < FACTS; f++) {
                size_t n = fill(run, &run->pieces[f], run->grid.lengths[l], d);
                for (size_t i = 0; i < run->subjects->count; i++)
                    ask(run, i, n, run->pieces[f].answer.count, &run->grid.cells[i][l][d]);
                progress_update(&progress, ++done, (struct gguf_str){"", 0});
            }
        }
    }
    progress_end(&progress);
}

/* ---- Output --------------------------------------------------------------------- */

static const char *shade(double p)
{
    return p >= .8 ? "██" : p >= .6 ? "▓▓" : p >= .4 ? "▒▒" : p >= .2 ? "░░" : "  ";
}

static void print_text(const struct run *run)
{
    printf("probability of the answer (mean of %zu facts), and facts found, by length of the "
           "text\n",
           FACTS);
    for (size_t i = 0; i < run->subjects->count; i++) {
        const char *name = run->subjects->list[i].label;
        struct table *table = table_new("rrrrr");
        putchar('\n');
        fputs(name, stdout);
        putchar('\n');
        table_cell(table, "depth");
        for (size_t l = 0; l < LENGTHS; l++)
            table_cellf(table, "%zu tokens", run->grid.lengths[l]);
        for (size_t d = 0; d < DEPTHS; d++) {
            table_cellf(table, "%zu %%", 100 * d / (DEPTHS - 1));
            for (size_t l = 0; l < LENGTHS; l++) {
                const struct cell *c = &run->grid.cells[i][l][d];
                table_cellf(table, "%s %.3f %zu/%zu", shade(c->p), c->p, c->found, FACTS);
            }
        }
        table_print(table, stdout, 0, true);
        table_free(table);
    }
}

static void json_cells(cJSON *o, const struct run *run, size_t subject)
{
    cJSON *cells = json_add_array(o, "cells");
    for (size_t l = 0; l < LENGTHS; l++) {
        for (size_t d = 0; d < DEPTHS; d++) {
            const struct cell *c = &run->grid.cells[subject][l][d];
            cJSON *cell = json_add_object(cells, NULL);
            json_u64(cell, "length", run->grid.lengths[l]);
            json_f64(cell, "depth", (double)d * (1.0 / (DEPTHS - 1)));
            json_f64(cell, "probability", c->p);
            json_f64(cell, "found", (double)c->found / (double)FACTS);
        }
    }
}

static void print_json(const struct run *run, const struct request *r)
{
    cJSON *root = json_object();
    json_text(root, "text", r->text);
    json_u64(root, "facts", FACTS);
    json_text(root, "activations", activations_name(r));
    cJSON *models = json_add_array(root, "models");
    for (size_t i = 0; i < run->subjects->count; i++) {
        cJSON *o = json_add_object(models, NULL);
        json_text(o, "file", run->subjects->list[i].name);
        json_cells(o, run, i);
    }
    json_print(root);
}

void run_recall(const struct request *r)
{
    struct subjects subjects;
    struct run run = {.subjects = &subjects};
    subjects_open(&subjects, r);
    prepare(&run, r);
    fill_grid(&run, r->quiet);
    if (r->json)
        print_json(&run, r);
    else
        print_text(&run);
    for (size_t f = 0; f < FACTS; f++) {
        token_list_free(&run.pieces[f].statement);
        token_list_free(&run.pieces[f].question);
        token_list_free(&run.pieces[f].answer);
    }
    token_list_free(&run.text);
    free(run.tokens);
    free(run.wanted);
    free(run.logits);
    free(run.grid.cells);
    subjects_close(&subjects);
}
