/* --prompt: how each model continues a text. */
#include "tools/gguf-eval/eval.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct continuation {
    struct token_list tokens; /* after the prompt */
    char *text;
    size_t size;
    size_t same; /* first tokens that are those of the base */
};

/* The prompt as tokens. */
struct prompt {
    uint32_t *tokens;
    size_t n;
};

/* SplitMix64 (Steele, Lea, Flood, OOPSLA 2014): from 0 to below 1. */
static double random_share(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return (double)((z ^ z >> 31) >> 11) * 0x1p-53;
}

static uint32_t most_likely(const float *logits, size_t n)
{
    size_t best = 0;
    for (size_t i = 1; i < n; i++) {
        if (logits[i] > logits[best])
            best = i;
    }
    return (uint32_t)best;
}

static uint32_t sample(const float *logits, size_t n, double temperature, uint64_t *state)
{
    uint32_t best = most_likely(logits, n);
    double sum = 0, share;
    if (temperature == 0)
        return best;
    for (size_t i = 0; i < n; i++)
        sum += exp((logits[i] - logits[best]) / temperature);
    share = random_share(state) * sum;
    for (size_t i = 0; i < n; i++) {
        share -= exp((logits[i] - logits[best]) / temperature);
        if (share < 0)
            return (uint32_t)i;
    }
    return best;
}

static struct prompt prompt_tokens(const struct subjects *subjects, const struct request *r)
{
    struct token_list list = {0};
    struct gguf_error err;
    struct gguf_str text = {r->prompt, strlen(r->prompt)};
    if (!subjects->tokenizer)
        cli_die("%s: has no vocabulary to tokenize the prompt with", subjects->list[0].name);
    if (tokenizer_encode(subjects->tokenizer, text,
                         TOKENIZER_ADD_SPECIAL | TOKENIZER_PARSE_SPECIAL, &list,
                         &err) != GGUF_OK)
        die_of(subjects->list[0].name, &err);
    if (list.count == 0 || list.count + r->length > UINT32_MAX)
        cli_die("--prompt: %zu tokens are too %s", list.count, list.count ? "many" : "few");
    struct prompt prompt = {cli_alloc(list.count, sizeof *prompt.tokens), list.count};
    for (size_t i = 0; i < list.count; i++)
        prompt.tokens[i] = (uint32_t)list.ids[i];
    check_ids(&list, subjects, "--prompt");
    token_list_free(&list);
    return prompt;
}

/* Only the last token's logits are wanted. */
static void eval_prompt(struct subject *s, const struct prompt *prompt)
{
    bool *wanted = cli_alloc(prompt->n, sizeof *wanted);
    wanted[prompt->n - 1] = true;
    subject_eval(s, prompt->tokens, prompt->n, 0, wanted);
    free(wanted);
}

static void continue_prompt(struct subject *s, const struct subjects *subjects,
                            const struct request *r, const struct prompt *prompt,
                            struct continuation *c)
{
    float *logits = cli_alloc(subjects->vocab, sizeof *logits);
    uint64_t state = r->seed;
    eval_prompt(s, prompt);
    for (uint64_t i = 0; i < r->length; i++) {
        subject_logits(s, 0, 1, logits);
        uint32_t token = sample(logits, subjects->vocab, r->temperature, &state);
        if (tokenizer_is_end(subjects->tokenizer, (int32_t)token))
            break;
        if (!token_list_add(&c->tokens, (int32_t)token))
            cli_die_memory();
        if (i + 1 < r->length)
            subject_eval(s, &token, 1, (uint32_t)(prompt->n + i), NULL);
    }
    free(logits);
}

/* Not tokenizer_decode: some models have more logits than the vocabulary has tokens. */
static void decode(const struct subjects *subjects, struct continuation *c)
{
    for (size_t i = 0; i < c->tokens.count; i++) {
        int32_t id = c->tokens.ids[i];
        size_t n = tokenizer_piece(subjects->tokenizer, id, 0, NULL, 0);
        c->text = cli_grow(c->text, c->size + n + 1, 1);
        c->size += tokenizer_piece(subjects->tokenizer, id, 0, c->text + c->size, n);
    }
}

static void count_same(struct continuation *c, const struct continuation *base)
{
    size_t n = c->tokens.count < base->tokens.count ? c->tokens.count : base->tokens.count;
    while (c->same < n && c->tokens.ids[c->same] == base->tokens.ids[c->same])
        c->same++;
}

/* ---- Output --------------------------------------------------------------------- */

static void print_lines(const char *text, size_t size)
{
    for (size_t at = 0, n; at <= size; at += n + 1) {
        const char *end = memchr(text + at, '\n', size - at);
        n = end ? (size_t)(end - (text + at)) : size - at;
        fputs(n ? "  " : "", stdout);
        term_print_str(stdout, (struct gguf_str){text + at, n}, 0);
        putchar('\n');
    }
}

static void print_text(const struct subjects *subjects, const struct continuation *list,
                       const struct request *r)
{
    size_t prompt = strlen(r->prompt);
    for (size_t i = 0; i < subjects->count; i++) {
        const struct continuation *c = &list[i];
        char *whole = cli_alloc(prompt + c->size + 1, 1);
        memcpy(whole, r->prompt, prompt);
        if (c->size)
            memcpy(whole + prompt, c->text, c->size);
        term_print_str(
            stdout, (struct gguf_str){subjects->list[i].name, strlen(subjects->list[i].name)},
            0);
        if (i > 0 && c->same == c->tokens.count && c->same == list[0].tokens.count)
            printf(": as the base");
        else if (i > 0)
            printf(": as the base for %zu of %zu tokens", c->same, c->tokens.count);
        putchar('\n');
        print_lines(whole, prompt + c->size);
        free(whole);
    }
}

static void print_json(const struct subjects *subjects, const struct continuation *list,
                       const struct request *r)
{
    cJSON *root = json_object();
    json_text(root, "prompt", r->prompt);
    json_f64(root, "temperature", r->temperature);
    json_text(root, "activations", activations_name(r));
    cJSON *models = json_add_array(root, "models");
    for (size_t i = 0; i < subjects->count; i++) {
        const struct subject *s = &subjects->list[i];
        cJSON *o = json_add_object(models, NULL);
        json_text(o, "file", s->name);
        json_str(o, "text", (struct gguf_str){list[i].text, list[i].size});
        json_u64(o, "tokens", list[i].tokens.count);
        json_u64(o, "same_as_base", i ? list[i].same : list[i].tokens.count);
        json_f64(o, "tokens_per_second", s->seconds > 0 ? (double)s->tokens / s->seconds : 0);
    }
    json_print(root);
}

void run_prompt(const struct request *r)
{
    struct subjects subjects;
    subjects_open(&subjects, r);
    struct prompt prompt = prompt_tokens(&subjects, r);
    subjects_contexts(&subjects, (uint32_t)(prompt.n + r->length));
    struct continuation *list = cli_alloc(subjects.count, sizeof *list);
    for (size_t i = 0; i < subjects.count; i++) {
        continue_prompt(&subjects.list[i], &subjects, r, &prompt, &list[i]);
        decode(&subjects, &list[i]);
        if (i > 0)
            count_same(&list[i], &list[0]);
    }
    if (r->json)
        print_json(&subjects, list, r);
    else
        print_text(&subjects, list, r);
    for (size_t i = 0; i < subjects.count; i++) {
        token_list_free(&list[i].tokens);
        free(list[i].text);
    }
    free(list);
    free(prompt.tokens);
    subjects_close(&subjects);
}
