/* Tokenizers: the golden ids of real vocabularies, what hostile vocabularies do, and texts
 * that would take quadratic time. */
#include "model/tokenizer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "tests/unit/raw_gguf.h"

static char *read_text(const char *path, size_t *size)
{
    FILE *f = fopen(path, "rb");
    if (!f)
        return NULL;
    assert_int_equal(fseek(f, 0, SEEK_END), 0);
    *size = (size_t)ftell(f);
    rewind(f);
    char *text = malloc(*size + 1);
    assert_non_null(text);
    assert_int_equal(fread(text, 1, *size, f), *size);
    text[*size] = '\0';
    fclose(f);
    return text;
}

/* ---- Golden ids ----------------------------------------------------------------- */

static const char separator[] = "\n__ggml_vocab_test__\n";

/* Compares the ids of one text with a line of numbers; returns the next line. */
static const char *check_line(const struct tokenizer *t, struct gguf_str text, const char *line,
                              const char *name)
{
    struct token_list list = {0};
    assert_int_equal(tokenizer_encode(t, text, 0, &list, NULL), GGUF_OK);
    size_t n = 0;
    while (*line && *line != '\n') {
        char *end;
        long id = strtol(line, &end, 10);
        assert_ptr_not_equal(line, end);
        if (n >= list.count || list.ids[n] != id)
            print_message("%s: token %zu of \"%.*s\"\n", name, n, (int)text.size, text.data);
        assert_true(n < list.count);
        assert_int_equal(list.ids[n++], id);
        for (line = end; *line == ' ';)
            line++;
    }
    assert_int_equal(n, list.count);
    token_list_free(&list);
    return *line ? line + 1 : line;
}

/* Every text of NAME.inp against its line of NAME.out. */
static void check_golden(const char *name)
{
    char path[256];
    size_t in_size, out_size;
    struct gguf *model = NULL;
    struct tokenizer *t = NULL;
    struct gguf_error err = {0};
    snprintf(path, sizeof path, "../shared/vocab/ggml-vocab-%s.gguf", name);
    if (gguf_open(&model, path, 0, &err) != GGUF_OK)
        skip();
    assert_int_equal(tokenizer_open(&t, model, &err), GGUF_OK);
    snprintf(path, sizeof path, "../shared/vocab/ggml-vocab-%s.gguf.inp", name);
    char *in = read_text(path, &in_size);
    snprintf(path, sizeof path, "../shared/vocab/ggml-vocab-%s.gguf.out", name);
    char *out = read_text(path, &out_size);
    assert_non_null(in);
    assert_non_null(out);
    const char *text = in, *line = out;
    size_t texts = 0;
    for (const char *end; text; text = end ? end + strlen(separator) : NULL, texts++) {
        end = strstr(text, separator);
        size_t size = end ? (size_t)(end - text) : in_size - (size_t)(text - in);
        line = check_line(t, (struct gguf_str){text, size}, line, name);
    }
    assert_true(texts > 40);
    assert_int_equal(*line, '\0');
    free(in);
    free(out);
    tokenizer_close(t);
    gguf_close(model);
}

static void golden_bert_bge(void **state)
{
    (void)state;
    check_golden("bert-bge");
}

static void golden_deepseek_llm(void **state)
{
    (void)state;
    check_golden("deepseek-llm");
}

static void golden_falcon(void **state)
{
    (void)state;
    check_golden("falcon");
}

static void golden_gpt_2(void **state)
{
    (void)state;
    check_golden("gpt-2");
}

static void golden_llama_spm(void **state)
{
    (void)state;
    check_golden("llama-spm");
}

static void golden_phi_3(void **state)
{
    (void)state;
    check_golden("phi-3");
}

/* ---- Small vocabularies --------------------------------------------------------- */

#define MOST 64

/* What a test says of a vocabulary; what is NULL or 0 is not in the file. */
struct small {
    const char *model, *pre;
    const char *tokens[MOST];
    float scores[MOST];
    int types[MOST]; /* 0: normal */
    const char *merges[MOST];
    size_t n_scores;     /* elements of the array if other than the tokens */
    bool scores_as_ints; /* another element type */
    bool no_tokens, no_scores, no_merges;
    uint32_t bos; /* + 1 */
    bool add_bos;
    bool no_prefix;   /* add_space_prefix is false */
    const char *name; /* general.name */
};

static size_t count_strings(const char *const *strings)
{
    size_t n = 0;
    while (n < MOST && strings[n])
        n++;
    return n;
}

static void put_strings(struct raw *r, const char *key, const char *const *strings)
{
    size_t n = count_strings(strings);
    raw_key(r, key, GGUF_VALUE_ARRAY);
    raw_array(r, GGUF_VALUE_STRING, n);
    for (size_t i = 0; i < n; i++)
        raw_text(r, strings[i]);
}

static void put_numbers(struct raw *r, const struct small *v)
{
    size_t n = count_strings(v->tokens);
    raw_key(r, "tokenizer.ggml.token_type", GGUF_VALUE_ARRAY);
    raw_array(r, GGUF_VALUE_I32, n);
    for (size_t i = 0; i < n; i++)
        raw_uint(r, (uint64_t)(v->types[i] ? v->types[i] : 1), 4);
    if (v->no_scores)
        return;
    n = v->n_scores ? v->n_scores : n;
    raw_key(r, "tokenizer.ggml.scores", GGUF_VALUE_ARRAY);
    raw_array(r, v->scores_as_ints ? GGUF_VALUE_I32 : GGUF_VALUE_F32, n);
    raw_bytes(r, v->scores, n * sizeof v->scores[0]);
}

static void put_bool(struct raw *r, const char *key, bool value)
{
    raw_key(r, key, GGUF_VALUE_BOOL);
    raw_uint(r, value, 1);
}

static struct gguf *make(struct raw *r, const struct small *v)
{
    bool merges = strcmp(v->model, "gpt2") == 0 && !v->no_merges;
    uint64_t keys = 4u + !v->no_tokens + !v->no_scores + merges + (v->bos != 0);
    struct gguf *model = NULL;
    raw_start(r, 3, 0, keys);
    raw_key(r, "tokenizer.ggml.model", GGUF_VALUE_STRING);
    raw_text(r, v->model);
    raw_key(r, "tokenizer.ggml.pre", GGUF_VALUE_STRING);
    raw_text(r, v->pre ? v->pre : "gpt-2");
    put_bool(r, "tokenizer.ggml.add_bos_token", v->add_bos);
    if (!v->no_tokens)
        put_strings(r, "tokenizer.ggml.tokens", v->tokens);
    put_numbers(r, v);
    if (merges)
        put_strings(r, "tokenizer.ggml.merges", v->merges);
    if (v->bos)
        raw_u32(r, "tokenizer.ggml.bos_token_id", v->bos - 1);
    if (v->no_prefix) {
        r->data[16]++;
        put_bool(r, "tokenizer.ggml.add_space_prefix", false);
    }
    if (v->name) {
        r->data[16]++;
        raw_key(r, "general.name", GGUF_VALUE_STRING);
        raw_text(r, v->name);
    }
    assert_int_equal(gguf_open_memory(&model, r->data, r->size, 0, NULL), GGUF_OK);
    return model;
}

/* The ids of a text as "3 1 2", or the name of the error. */
static const char *encoded(const struct small *v, const char *text, size_t size, unsigned flags)
{
    static char out[1024];
    struct raw r = {0};
    struct gguf *model = make(&r, v);
    struct tokenizer *t;
    struct token_list list = {0};
    struct gguf_error err = {0};
    enum gguf_status status = tokenizer_open(&t, model, &err);
    if (status == GGUF_OK)
        status = tokenizer_encode(t, (struct gguf_str){text, size}, flags, &list, &err);
    size_t n = 0;
    out[0] = '\0';
    for (size_t i = 0; i < list.count && n < sizeof out - 16; i++)
        n += (size_t)snprintf(out + n, sizeof out - n, i ? " %d" : "%d", list.ids[i]);
    if (status != GGUF_OK)
        snprintf(out, sizeof out, "%s", err.message);
    tokenizer_close(t);
    token_list_free(&list);
    gguf_close(model);
    raw_free(&r);
    return out;
}

static void check(const struct small *v, const char *text, unsigned flags, const char *ids)
{
    assert_string_equal(encoded(v, text, strlen(text), flags), ids);
}

static const struct small spm = {
    .model = "llama",
    .tokens = {"<unk>", "<s>", "</s>", "\xe2\x96\x81", "a", "b", "ab",
               "\xe2\x96\x81"
               "a",
               "<mark>", "<mark>er", "<0xC3>", "ba"},
    .scores = {0, 0, 0, -1, -2, -3, -5, -4, 0, 0, 0, -5},
    .types = {2, 3, 3, 1, 1, 1, 1, 1, 4, 4, 6, 1},
    .bos = 2,
    .add_bos = true,
};

static void spm_merges_by_score_then_from_the_left(void **state)
{
    (void)state;
    check(&spm, "ab", 0, "7 5");     /* " a" scores higher than "ab" */
    check(&spm, "bab", 0, "3 11 5"); /* "ba" and "ab" score alike: the left one */
    check(&spm, "", TOKENIZER_ADD_SPECIAL, "1");
    check(&spm, "a  b", TOKENIZER_ADD_SPECIAL, "1 7 3 3 5");
}

static void spm_bytes_without_a_token_are_unknown(void **state)
{
    (void)state;
    check(&spm, "\xc3\xa9", 0, "3 10 0"); /* U+00E9: one byte has a token */
    check(&spm, "\xc3", 0, "3 10");       /* cut short */
    check(&spm, "a\xff", 0, "7 0");
}

static void special_tokens_are_found_where_asked_for(void **state)
{
    (void)state;
    check(&spm, "<s>", TOKENIZER_PARSE_SPECIAL, "1");
    check(&spm, "a<s>b", TOKENIZER_PARSE_SPECIAL, "7 1 3 5");
    check(&spm, "a<s>", 0, "7 0 0 0");
    check(&spm, "<mark>a<mark>er", 0, "8 7 9"); /* the longer of two */
    check(&spm, "<mark", 0, "3 0 0 4 0 0");
}

/* A token with a space after something else: words cannot be encoded one by one. */
static void spm_merges_across_spaces(void **state)
{
    (void)state;
    const struct small v = {.model = "llama",
                            .tokens = {"a", "b", "\xe2\x96\x81", "a\xe2\x96\x81",
                                       "a\xe2\x96\x81"
                                       "b"},
                            .scores = {-1, -1, -1, -2, -3},
                            .no_prefix = true};
    check(&v, "a b", 0, "4");
    check(&v, "a ba ", 0, "4 3");
}

/* Phi-3: the white space after a special token is a part of it; not after BOS. */
static void phi_3_strips_after_special_tokens(void **state)
{
    (void)state;
    struct small v = spm;
    v.tokens[11] = "<|user|>";
    v.types[11] = 3;
    v.no_prefix = true;
    check(&v, "<|user|> \n b", TOKENIZER_PARSE_SPECIAL, "11 3 0 3 5");
    v.name = "My Phi-3 mini";
    check(&v, "<|user|> \n b", TOKENIZER_PARSE_SPECIAL, "11 5");
    check(&v, "<s> b", TOKENIZER_PARSE_SPECIAL, "1 3 5");
}

static const struct small bpe = {
    .model = "gpt2",
    .tokens = {"a", "b", "ab", "\xc4\xa0",
               "\xc4\xa0"
               "a",
               "abab", "\xc3\xbf"},
    .merges = {"\xc4\xa0 a", "a b", "ab ab", "x y", "a b", "ab b"},
    .no_scores = true,
};

static void bpe_merges_by_rank_within_words(void **state)
{
    (void)state;
    check(&bpe, "ab", 0, "2");
    check(&bpe, "abab", 0, "5");
    check(&bpe, "ababab", 0, "5 2");
    check(&bpe, "a ab", 0, "0 4 1"); /* the space goes with the word */
    check(&bpe, "abb", 0, "2 1");    /* a merge whose result is no token */
    check(&bpe,
          "a\xff"
          "b",
          0, "0 6 1");
    check(&bpe, "acb", 0, "0 1"); /* no token for "c" */
}

static const struct small wpm = {
    .model = "bert",
    .tokens = {"[UNK]", "\xe2\x96\x81hello", "\xe2\x96\x81he", "llo", "\xe2\x96\x81,",
               "\xe2\x96\x81"
               "e",
               "w"},
    .no_scores = true,
};

static void wpm_takes_the_longest_and_normalizes(void **state)
{
    (void)state;
    check(&wpm, "Hello, HELLO", 0, "1 4 1");
    check(&wpm, "hewllo", 0, "2 6 3");
    check(&wpm, "\xc3\x89 e\xcc\x81\t\xc3\xa9w", 0, "5 5 5 6"); /* accents, either form */
    check(&wpm, "hello\xff", 0, "1");
    check(&wpm, "xyz", 0, ""); /* no [UNK] under its usual number */
}

/* ---- Hostile vocabularies ------------------------------------------------------- */

static void check_error(const struct small *v, const char *part)
{
    const char *message = encoded(v, "a", 1, TOKENIZER_ADD_SPECIAL);
    if (!strstr(message, part))
        print_message("\"%s\" is not in \"%s\"\n", part, message);
    assert_non_null(strstr(message, part));
}

static void wrong_arrays_are_named(void **state)
{
    (void)state;
    struct small v = spm;
    v.no_tokens = true;
    check_error(&v, "tokenizer.ggml.tokens is missing");
    v = spm;
    v.no_scores = true;
    check_error(&v, "tokenizer.ggml.scores is missing");
    v = spm;
    v.n_scores = 3;
    check_error(&v, "each of the 12 tokens, found 3");
    v = spm;
    v.scores_as_ints = true;
    check_error(&v, "expected an array of f32, found an array of i32");
    v = spm;
    v.scores[5] = (float)(0.0 / 0.0);
    check_error(&v, "the score of token 5 is no number");
    v = bpe;
    v.no_merges = true;
    check_error(&v, "tokenizer.ggml.merges: expected an array of strings");
    v = bpe;
    v.merges[1] = "ab";
    check_error(&v, "tokenizer.ggml.merges[1]: expected two tokens");
    v.merges[1] = " ";
    check_error(&v, "tokenizer.ggml.merges[1]: expected two tokens");
}

static void unknown_kinds_are_named(void **state)
{
    (void)state;
    struct small v = spm;
    v.model = "rwkv";
    check_error(&v, "found \"rwkv\"");
    v = bpe;
    v.pre = "no-such";
    check_error(&v, "\"no-such\" is not known");
}

static void ids_out_of_range_are_absent(void **state)
{
    (void)state;
    struct small v = spm;
    v.bos = 13;
    check_error(&v, "bos_token_id names no token");
    v.add_bos = false;
    check(&v, "a", TOKENIZER_ADD_SPECIAL, "7");
    v.bos = UINT32_MAX;
    check(&v, "a", TOKENIZER_ADD_SPECIAL, "7");
}

static void equal_and_empty_tokens_do_no_harm(void **state)
{
    (void)state;
    struct small v = bpe;
    v.tokens[0] = "", v.tokens[1] = "", v.tokens[4] = "a", v.tokens[5] = "a";
    check(&v, "ab a", 0, "5 3 5");
}

/* Merges that lead back to where they came from end all the same: symbols get fewer. */
static void merges_end(void **state)
{
    (void)state;
    const struct small v = {.model = "gpt2",
                            .tokens = {"a", "aa", "aaa", "aaaa"},
                            .merges = {"aa aa", "a a", "aa a", "a aa", "aaa a", "a aaa"},
                            .no_scores = true};
    char text[1001];
    memset(text, 'a', sizeof text);
    check(&v, "aaaaa", 0, "3 0");
    assert_true(strlen(encoded(&v, text, sizeof text, 0)) > 200);
}

/* A long text of one letter, or of what patterns like least, takes n log n: were it n * n,
 * this test would take many minutes. */
static void long_runs(void **state)
{
    (void)state;
    static const char *const units[] = {"a", " ",        "\n", "1",   "A",
                                        "!", "\xcc\x81", " a", "\xff"};
    static const char *const pre[] = {"gpt-2",   "llama-bpe",  "deepseek-llm", "gpt-4o",
                                      "kimi-k2", "exaone-moe", "default",      "jais-2"};
    const size_t size = 1 << 18;
    char *text = malloc(size);
    assert_non_null(text);
    for (size_t u = 0; u < sizeof units / sizeof units[0]; u++) {
        size_t n = strlen(units[u]);
        for (size_t i = 0; i < size; i++)
            text[i] = units[u][i % n];
        text[size - 1] = 'b';
        for (size_t p = 0; p < sizeof pre / sizeof pre[0]; p++) {
            struct small v = bpe;
            v.pre = pre[p];
            assert_null(strstr(encoded(&v, text, size, 0), "gives up"));
        }
        encoded(&spm, text, size, 0);
        encoded(&wpm, text, size, 0);
    }
    free(text);
}

/* ---- Decoding ------------------------------------------------------------------- */

static void check_round_trip(const struct small *v, const char *text)
{
    struct raw r = {0};
    struct gguf *model = make(&r, v);
    struct tokenizer *t;
    struct token_list list = {0};
    char *back;
    size_t size;
    assert_int_equal(tokenizer_open(&t, model, NULL), GGUF_OK);
    struct gguf_str in = {text, strlen(text)};
    assert_int_equal(tokenizer_encode(t, in, 0, &list, NULL), GGUF_OK);
    assert_int_equal(tokenizer_decode(t, list.ids, list.count, 0, &back, &size, NULL), GGUF_OK);
    assert_int_equal(size, in.size);
    assert_string_equal(back, text);
    free(back);
    list.ids[0] = 1000;
    assert_int_equal(tokenizer_decode(t, list.ids, list.count, 0, &back, &size, NULL),
                     GGUF_ERR_ARGUMENT);
    token_list_free(&list);
    tokenizer_close(t);
    gguf_close(model);
    raw_free(&r);
}

static void decoding_gives_the_text_back(void **state)
{
    (void)state;
    check_round_trip(&spm, "ab a  b");
    check_round_trip(&spm, "<mark>er");
    check_round_trip(&bpe, "ab abab \xff"
                           "a");
    struct small v = spm;
    v.no_prefix = true;
    check_round_trip(&v, " a");
    check_round_trip(&v, "ab");
}

static void pieces_say_how_long_they_are(void **state)
{
    (void)state;
    struct raw r = {0};
    struct gguf *model = make(&r, &spm);
    struct tokenizer *t;
    char out[4] = "...";
    assert_int_equal(tokenizer_open(&t, model, NULL), GGUF_OK);
    assert_int_equal(tokenizer_piece(t, 8, 0, NULL, 0), 6);
    assert_int_equal(tokenizer_piece(t, 8, 0, out, 2), 6);
    assert_string_equal(out, "<m.");
    assert_int_equal(tokenizer_piece(t, 1, 0, NULL, 0), 0);
    assert_int_equal(tokenizer_piece(t, 1, TOKENIZER_PARSE_SPECIAL, NULL, 0), 3);
    assert_int_equal(tokenizer_piece(t, -1, 0, NULL, 0), 0);
    assert_int_equal(tokenizer_piece(t, 12, 0, NULL, 0), 0);
    assert_true(tokenizer_is_end(t, 2));
    assert_false(tokenizer_is_end(t, 1));
    tokenizer_close(t);
    gguf_close(model);
    raw_free(&r);
}

/* What the file says of BOS, and what is usual of EOS where it says nothing. */
static void special_tokens_around_a_text(void **state)
{
    (void)state;
    const struct small *const kinds[] = {&spm, &wpm};
    for (size_t i = 0; i < 2; i++) {
        struct raw r = {0};
        struct gguf *model = make(&r, kinds[i]);
        struct tokenizer *t;
        assert_int_equal(tokenizer_open(&t, model, NULL), GGUF_OK);
        assert_int_equal(tokenizer_adds_bos(t), kinds[i]->add_bos);
        assert_int_equal(tokenizer_adds_eos(t), kinds[i] == &wpm);
        tokenizer_close(t);
        gguf_close(model);
        raw_free(&r);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(golden_bert_bge),
        cmocka_unit_test(golden_deepseek_llm),
        cmocka_unit_test(golden_falcon),
        cmocka_unit_test(golden_gpt_2),
        cmocka_unit_test(golden_llama_spm),
        cmocka_unit_test(golden_phi_3),
        cmocka_unit_test(spm_merges_by_score_then_from_the_left),
        cmocka_unit_test(spm_bytes_without_a_token_are_unknown),
        cmocka_unit_test(special_tokens_are_found_where_asked_for),
        cmocka_unit_test(spm_merges_across_spaces),
        cmocka_unit_test(phi_3_strips_after_special_tokens),
        cmocka_unit_test(bpe_merges_by_rank_within_words),
        cmocka_unit_test(wpm_takes_the_longest_and_normalizes),
        cmocka_unit_test(wrong_arrays_are_named),
        cmocka_unit_test(unknown_kinds_are_named),
        cmocka_unit_test(ids_out_of_range_are_absent),
        cmocka_unit_test(equal_and_empty_tokens_do_no_harm),
        cmocka_unit_test(merges_end),
        cmocka_unit_test(long_runs),
        cmocka_unit_test(decoding_gives_the_text_back),
        cmocka_unit_test(pieces_say_how_long_they_are),
        cmocka_unit_test(special_tokens_around_a_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
