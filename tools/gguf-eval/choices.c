/*
 * --choices: multiple choice by log-likelihood. The choice whose tokens the model finds most
 * likely after the question is its answer, as a whole or by byte.
 *
 *     MMLU       {"question": "...", "choices": ["...", ...], "answer": 1}
 *                question, "A. ..." to "D. ...", "Answer:"; scored: " A", " B", ...
 *     HellaSwag  {"ctx": "...", "endings": ["...", ...], "label": "3"}
 *                ctx; scored: " " and each ending
 */
#include "tools/gguf-eval/eval.h"

#include <stdlib.h>
#include <string.h>

#define MOST_CHOICES 26

struct choice {
    uint32_t *tokens; /* question and choice */
    size_t n;
    size_t first; /* token that is scored first */
    size_t bytes; /* of the choice */
};

struct question {
    struct choice choices[MOST_CHOICES];
    size_t n, right;
    size_t shared; /* first tokens that all choices have in common and that are not scored */
};

struct questions {
    struct question *list;
    size_t n;
    size_t longest; /* tokens */
    size_t widest;  /* tokens that are scored */
};

/* What a model got right. */
struct tally {
    uint64_t whole, by_byte;
};

/* ---- Reading -------------------------------------------------------------------- */

/* A line of the file, for messages. */
struct place {
    const char *path;
    size_t line;
};

static const cJSON *find_any(const cJSON *object, const char *const *names)
{
    const cJSON *found = NULL;
    for (; *names && !found; names++)
        found = cJSON_GetObjectItemCaseSensitive(object, *names);
    return found;
}

/* 2, "2" or "C". */
static size_t parse_answer(const cJSON *answer, size_t n, const struct place *at)
{
    double number = -1;
    if (cJSON_IsNumber(answer))
        number = answer->valuedouble;
    else if (cJSON_IsString(answer) && strlen(answer->valuestring) == 1) {
        char c = answer->valuestring[0];
        number = c >= '0' && c <= '9' ? c - '0' : c - 'A';
    }
    if (!(number >= 0 && number < (double)n) || number != (double)(size_t)number)
        cli_die("%s:%zu: expected an answer from 0 to %zu or A to %c", at->path, at->line,
                n - 1, (char)('A' + (int)n - 1));
    return (size_t)number;
}

/* ARC keeps its choices one level deeper: {"text": [...], "label": [...]}. */
static const cJSON *find_choices(const cJSON *object, const struct place *at)
{
    static const char *const names[] = {"endings", "choices", NULL};
    const cJSON *list = find_any(object, names);
    if (cJSON_IsObject(list))
        list = cJSON_GetObjectItemCaseSensitive(list, "text");
    int n = cJSON_IsArray(list) ? cJSON_GetArraySize(list) : 0;
    const cJSON *item;
    if (n < 2 || n > MOST_CHOICES)
        cli_die("%s:%zu: expected \"choices\" or \"endings\", 2 to %d strings", at->path,
                at->line, MOST_CHOICES);
    cJSON_ArrayForEach(item, list)
    {
        if (!cJSON_IsString(item))
            cli_die("%s:%zu: a choice is no string", at->path, at->line);
    }
    return list;
}

static struct text format_text(const char *a, const char *b)
{
    size_t n = strlen(a), m = strlen(b);
    struct text text = {cli_alloc(n + m + 1, 1), n + m};
    memcpy(text.data, a, n);
    memcpy(text.data + n, b, m);
    return text;
}

static void append(struct text *text, const char *more)
{
    size_t n = strlen(more);
    text->data = cli_grow(text->data, text->size + n + 1, 1);
    memcpy(text->data + text->size, more, n + 1);
    text->size += n;
}

/* The question as it is put to the model; letters: its choices listed. */
static struct text make_prompt(const char *question, const cJSON *choices, bool letters)
{
    struct text prompt = format_text(question, "");
    char letter[8] = "\nA. ";
    const cJSON *item;
    if (!letters)
        return prompt;
    cJSON_ArrayForEach(item, choices)
    {
        append(&prompt, letter);
        append(&prompt, item->valuestring);
        letter[1]++;
    }
    append(&prompt, "\nAnswer:");
    return prompt;
}

static struct token_list encode(const struct tokenizer *t, struct text text)
{
    struct token_list list = {0};
    struct gguf_error err;
    if (tokenizer_encode(t, (struct gguf_str){text.data, text.size}, TOKENIZER_ADD_SPECIAL,
                         &list, &err) != GGUF_OK)
        die_of("--choices", &err);
    return list;
}

/* Tokens of prompt and choice together; scored from where they differ from the prompt's. */
static void make_choice(struct choice *c, const struct tokenizer *t, const char *prompt,
                        const struct token_list *alone, const char *text)
{
    char *spaced = format_text(" ", text).data;
    struct text whole = format_text(prompt, spaced);
    struct token_list list = encode(t, whole);
    c->n = list.count;
    c->bytes = strlen(text);
    c->tokens = cli_alloc(list.count, sizeof *c->tokens);
    for (size_t i = 0; i < list.count; i++)
        c->tokens[i] = (uint32_t)list.ids[i];
    while (c->first < alone->count && c->first + 1 < c->n &&
           alone->ids[c->first] == list.ids[c->first])
        c->first++;
    token_list_free(&list);
    free(whole.data);
    free(spaced);
}

static void make_question(struct question *q, const struct tokenizer *t, const cJSON *object,
                          const struct place *at)
{
    static const char *const prompts[] = {"question", "query", "ctx", "context", NULL};
    static const char *const answers[] = {"answer", "label", "gold", "answerKey", NULL};
    const cJSON *text = find_any(object, prompts), *choices = find_choices(object, at), *item;
    if (!cJSON_IsString(text))
        cli_die("%s:%zu: expected \"question\" or \"ctx\", a string", at->path, at->line);
    bool letters = !cJSON_HasObjectItem(object, "endings");
    struct text prompt = make_prompt(text->valuestring, choices, letters);
    struct token_list alone = encode(t, prompt);
    char letter[2] = "A";
    cJSON_ArrayForEach(item, choices)
    {
        struct choice *c = &q->choices[q->n++];
        make_choice(c, t, prompt.data, &alone, letters ? letter : item->valuestring);
        q->shared = q->n == 1 || c->first < q->shared ? c->first : q->shared;
        letter[0]++;
    }
    q->right = parse_answer(find_any(object, answers), q->n, at);
    if (q->shared == 0)
        cli_die("%s:%zu: the question has no tokens", at->path, at->line);
    token_list_free(&alone);
    free(prompt.data);
}

static void add_line(struct questions *all, const struct tokenizer *t, struct gguf_str line,
                     const struct place *at)
{
    cJSON *object = cJSON_ParseWithLength(line.data, line.size);
    if (!cJSON_IsObject(object))
        cli_die("%s:%zu: expected a JSON object", at->path, at->line);
    all->list = cli_grow(all->list, all->n + 1, sizeof *all->list);
    struct question *q = &all->list[all->n++];
    *q = (struct question){0};
    make_question(q, t, object, at);
    cJSON_Delete(object);
    for (size_t i = 0; i < q->n; i++) {
        size_t scored = q->choices[i].n - q->shared + 1;
        all->longest = q->choices[i].n > all->longest ? q->choices[i].n : all->longest;
        all->widest = scored > all->widest ? scored : all->widest;
    }
}

static bool is_blank(struct gguf_str line)
{
    for (size_t i = 0; i < line.size; i++) {
        if (line.data[i] != ' ' && line.data[i] != '\t' && line.data[i] != '\r')
            return false;
    }
    return true;
}

static void read_questions(struct questions *all, const struct tokenizer *t, const char *path)
{
    struct text text = text_read(path);
    struct place at = {path, 0};
    for (size_t i = 0, n; i < text.size; i += n + 1) {
        const char *end = memchr(text.data + i, '\n', text.size - i);
        n = end ? (size_t)(end - (text.data + i)) : text.size - i;
        at.line++;
        struct gguf_str line = {text.data + i, n};
        if (!is_blank(line))
            add_line(all, t, line, &at);
    }
    text_free(&text);
    if (all->n == 0)
        cli_die("%s: there are no questions in it", path);
}

static void questions_free(struct questions *all)
{
    for (size_t i = 0; i < all->n; i++) {
        for (size_t k = 0; k < all->list[i].n; k++)
            free(all->list[i].choices[k].tokens);
    }
    free(all->list);
}

/* ---- Scoring -------------------------------------------------------------------- */

/* -log p of the choice. The tokens before the last shared one are in the cache already. */
static double choice_nll(struct subject *s, const struct question *q, const struct choice *c,
                         float *logits, size_t vocab)
{
    size_t from = q->shared - 1;
    double nll = 0;
    subject_eval(s, c->tokens + from, c->n - from - 1, (uint32_t)from, NULL);
    for (size_t i = c->first; i < c->n; i++) {
        subject_logits(s, i - 1 - from, 1, logits);
        nll += metrics_nll(logits, vocab, c->tokens[i]);
    }
    return nll;
}

static void ask(struct subject *s, const struct question *q, float *logits, size_t vocab,
                struct tally *tally)
{
    double best = 0, best_by_byte = 0;
    size_t whole = 0, by_byte = 0;
    if (q->shared > 1) {
        bool *wanted = cli_alloc(q->shared, sizeof *wanted);
        subject_eval(s, q->choices[0].tokens, q->shared - 1, 0, wanted);
        free(wanted);
    }
    for (size_t i = 0; i < q->n; i++) {
        double nll = choice_nll(s, q, &q->choices[i], logits, vocab);
        double byte = nll / (double)(q->choices[i].bytes ? q->choices[i].bytes : 1);
        if (i == 0 || nll < best)
            best = nll, whole = i;
        if (i == 0 || byte < best_by_byte)
            best_by_byte = byte, by_byte = i;
    }
    tally->whole += whole == q->right;
    tally->by_byte += by_byte == q->right;
}

static void check_tokens(const struct questions *all, const struct subjects *subjects)
{
    for (size_t i = 0; i < all->n; i++) {
        for (size_t k = 0; k < all->list[i].n; k++) {
            const struct choice *c = &all->list[i].choices[k];
            for (size_t j = 0; j < c->n; j++) {
                if (c->tokens[j] >= subjects->vocab)
                    cli_die("%s: the vocabulary has token %u, the network has %zu logits",
                            subjects->list[0].name, c->tokens[j], subjects->vocab);
            }
        }
    }
}

/* ---- Output ------------------------------------------------------------------------- */

static void print_text(const struct subjects *subjects, const struct tally *tallies, size_t n)
{
    static const char *const heading[] = {"model", "questions", "accuracy",
                                          "95 %",  "by byte",   "95 %"};
    struct table *table = table_new("lrrrrr");
    for (size_t i = 0; i < 6; i++)
        table_cell(table, heading[i]);
    for (size_t i = 0; i < subjects->count; i++) {
        const char *name = subjects->list[i].label;
        const uint64_t hits[] = {tallies[i].whole, tallies[i].by_byte};
        table_cell(table, name);
        table_cellf(table, "%zu", n);
        for (size_t k = 0; k < 2; k++) {
            double low, high;
            metrics_share_bounds(hits[k], n, &low, &high);
            table_cellf(table, "%.2f %%", 100 * (double)hits[k] / (double)n);
            table_cellf(table, "%.2f to %.2f", 100 * low, 100 * high);
        }
    }
    table_print(table, stdout, 0, true);
    table_free(table);
}

static void print_json(const struct subjects *subjects, const struct tally *tallies, size_t n,
                       const struct request *r)
{
    cJSON *root = json_object();
    json_text(root, "choices", r->choices);
    json_u64(root, "questions", n);
    json_text(root, "activations", activations_name(r));
    cJSON *models = json_add_array(root, "models");
    for (size_t i = 0; i < subjects->count; i++) {
        double low, high;
        cJSON *o = json_add_object(models, NULL);
        json_text(o, "file", subjects->list[i].name);
        metrics_share_bounds(tallies[i].whole, n, &low, &high);
        json_f64(o, "accuracy", (double)tallies[i].whole / (double)n);
        json_f64(o, "accuracy_low", low);
        json_f64(o, "accuracy_high", high);
        metrics_share_bounds(tallies[i].by_byte, n, &low, &high);
        json_f64(o, "accuracy_by_byte", (double)tallies[i].by_byte / (double)n);
        json_f64(o, "accuracy_by_byte_low", low);
        json_f64(o, "accuracy_by_byte_high", high);
    }
    json_print(root);
}

void run_choices(const struct request *r)
{
    struct subjects subjects;
    struct questions all = {0};
    struct progress progress;
    subjects_open(&subjects, r);
    if (!subjects.tokenizer)
        cli_die("%s: has no vocabulary to tokenize the questions with", r->files[0]);
    read_questions(&all, subjects.tokenizer, r->choices);
    check_tokens(&all, &subjects);
    subjects_contexts(&subjects, (uint32_t)all.longest);
    float *logits = cli_alloc(subjects.vocab, sizeof *logits);
    struct tally *tallies = cli_alloc(subjects.count, sizeof *tallies);
    progress_start(&progress, "questions", all.n, r->quiet);
    for (size_t q = 0; q < all.n; q++) {
        for (size_t i = 0; i < subjects.count; i++)
            ask(&subjects.list[i], &all.list[q], logits, subjects.vocab, &tallies[i]);
        progress_update(&progress, q + 1, (struct gguf_str){"", 0});
    }
    progress_end(&progress);
    if (r->json)
        print_json(&subjects, tallies, all.n, r);
    else
        print_text(&subjects, tallies, all.n);
    free(tallies);
    free(logits);
    questions_free(&all);
    subjects_close(&subjects);
}
