/* --tokenize: the ids of a text. --logits: what a model makes of given ids. */
#include "tools/gguf-eval/eval.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* ---- Tokens --------------------------------------------------------------------- */

static void print_ids(const struct request *r, const struct token_list *list)
{
    if (r->json) {
        cJSON *root = json_object();
        json_text(root, "file", r->files[0]);
        json_u64(root, "count", list->count);
        cJSON *tokens = json_add_array(root, "tokens");
        for (size_t i = 0; i < list->count; i++)
            json_i64(tokens, NULL, list->ids[i]);
        json_print(root);
        return;
    }
    for (size_t i = 0; i < list->count; i++)
        printf(i ? " %" PRId32 : "%" PRId32, list->ids[i]);
    putchar('\n');
}

/* -v: each token on a line with its text. */
static void print_pieces(const struct tokenizer *t, const struct token_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        printf("%7" PRId32 "  \"", list->ids[i]);
        term_print_str(stdout, tokenizer_token(t, list->ids[i]), 0);
        fputs("\"\n", stdout);
    }
}

void run_tokenize(const struct request *r)
{
    struct gguf *gguf = open_file(r->files[0], 0);
    struct gguf_error err;
    struct token_list list = {0};
    unsigned flags = r->specials ? TOKENIZER_ADD_SPECIAL | TOKENIZER_PARSE_SPECIAL : 0;
    struct tokenizer *t = open_tokenizer(gguf, r->files[0]);
    struct text text = {0};
    if (!r->prompt)
        text = text_read(r->text ? r->text : "-");
    struct gguf_str in = r->prompt ? (struct gguf_str){r->prompt, strlen(r->prompt)}
                                   : (struct gguf_str){text.data, text.size};
    if (tokenizer_encode(t, in, flags, &list, &err) != GGUF_OK)
        die_of(r->files[0], &err);
    if (r->verbose && !r->json)
        print_pieces(t, &list);
    else
        print_ids(r, &list);
    token_list_free(&list);
    text_free(&text);
    tokenizer_close(t);
    gguf_close(gguf);
}

/* ---- Logits --------------------------------------------------------------------- */

#define PART 64 /* positions whose logits are written at once */

/* Little-endian on every machine. */
static void write_floats(const struct output *out, float *x, size_t n)
{
    const uint16_t one = 1;
    if (*(const unsigned char *)&one == 0)
        gguf_type_swap(GGUF_F32, x, n * sizeof *x);
    if (fwrite(x, sizeof *x, n, out->file) != n)
        output_failed(out);
}

static void write_logits(struct subject *s, const struct output *out, size_t n, size_t vocab)
{
    float *logits = cli_alloc(PART * vocab, sizeof *logits);
    for (size_t at = 0, part; at < n; at += part) {
        part = n - at < PART ? n - at : PART;
        subject_logits(s, at, part, logits);
        write_floats(out, logits, part * vocab);
    }
    free(logits);
}

void run_logits(const struct request *r)
{
    struct subjects subjects;
    struct token_list list = {0};
    struct output out;
    output_open(&out, r->logits, r);
    text_read_ids(r->tokens, &list);
    subjects_open(&subjects, r);
    check_ids(&list, &subjects, r->tokens);
    uint32_t *tokens = cli_alloc(list.count, sizeof *tokens);
    for (size_t i = 0; i < list.count; i++)
        tokens[i] = (uint32_t)list.ids[i];
    if (list.count > INT32_MAX)
        cli_die("%s: %zu tokens are too many", r->tokens, list.count);
    subjects_contexts(&subjects, (uint32_t)list.count);
    subject_eval(&subjects.list[0], tokens, list.count, 0, NULL);
    write_logits(&subjects.list[0], &out, list.count, subjects.vocab);
    output_close(&out);
    if (!r->quiet)
        fprintf(stderr, "%s: %zu x %zu logits, activations %s\n", r->logits, list.count,
                subjects.vocab, activations_name(r));
    free(tokens);
    token_list_free(&list);
    subjects_close(&subjects);
}
