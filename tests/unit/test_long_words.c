/* Long words are merged in windows: the tokens are those of the whole, and memory does not grow
 * with the word. */
#include "model/tokenizer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

#define GPT2    "../shared/vocab/ggml-vocab-gpt-2.gguf"
#define LLAMA   "../shared/vocab/ggml-vocab-llama-spm.gguf"
#define FIXTURE "fixtures/shakespeare-f16.gguf"

enum { PART = 16 << 10 };

static struct tokenizer *open_vocabulary(const char *path, struct gguf **model)
{
    struct tokenizer *t;
    if (access(path, R_OK) != 0)
        skip();
    assert_int_equal(gguf_open(model, path, 0, NULL), GGUF_OK);
    assert_int_equal(tokenizer_open(&t, *model, NULL), GGUF_OK);
    return t;
}

static struct token_list encode(const struct tokenizer *t, const char *text, size_t size)
{
    struct token_list list = {0};
    assert_int_equal(tokenizer_encode(t, (struct gguf_str){text, size}, 0, &list, NULL),
                     GGUF_OK);
    return list;
}

/* Bytes of text that a token stands for. */
static size_t bytes_of(const struct tokenizer *t, int32_t id)
{
    return tokenizer_piece(t, id, 0, NULL, 0);
}

/* What a text gives from one of its tokens on, the text alone gives that begins there, but for
 * the last tokens. */
static void check_parts(const struct tokenizer *t, const char *text, size_t size)
{
    struct token_list whole = encode(t, text, size);
    size_t at = 0, parts = 0, next = 0;
    for (size_t i = 0; i < whole.count; at += bytes_of(t, whole.ids[i++])) {
        if (at < next)
            continue;
        size_t n = size - at < PART ? size - at : PART;
        struct token_list part = encode(t, text + at, n);
        size_t compared = part.count - part.count / 8;
        assert_true(i + compared <= whole.count);
        assert_memory_equal(whole.ids + i, part.ids, compared * sizeof *part.ids);
        token_list_free(&part);
        next = at + PART / 2;
        parts++;
    }
    assert_int_equal(at, size);
    assert_true(parts > size / PART);
    token_list_free(&whole);
}

/* A repeatable text of the letters of an alphabet. */
static char *make_text(const char *alphabet, size_t size)
{
    char *text = malloc(size);
    size_t n = strlen(alphabet);
    uint32_t random = 1;
    assert_non_null(text);
    for (size_t i = 0; i < size; i++) {
        random = random * 1664525u + 1013904223u;
        text[i] = alphabet[(random >> 8) % n];
    }
    return text;
}

static const char *const alphabets[] = {"a",          "ab",  "aab",
                                        "0123456789", "=-*", "ABCDEFabcdefgh"};

static void check_vocabulary(const char *path)
{
    struct gguf *model;
    struct tokenizer *t = open_vocabulary(path, &model);
    const size_t size = 400000;
    for (size_t i = 0; i < sizeof alphabets / sizeof alphabets[0]; i++) {
        char *text = make_text(alphabets[i], size);
        check_parts(t, text, size);
        free(text);
    }
    tokenizer_close(t);
    gguf_close(model);
}

static void byte_level(void **state)
{
    (void)state;
    check_vocabulary(GPT2);
}

static void of_the_fixture(void **state)
{
    (void)state;
    check_vocabulary(FIXTURE);
}

static long peak_kilobytes(void)
{
    struct rusage usage;
    assert_int_equal(getrusage(RUSAGE_SELF, &usage), 0);
    return usage.ru_maxrss;
}

/* 8 MB of one letter: 44 bytes for each if it were merged as a whole. */
static void check_memory(const char *path)
{
    struct gguf *model;
    struct tokenizer *t = open_vocabulary(path, &model);
    const size_t size = 8 << 20;
    char *text = make_text("a", size);
    long before = peak_kilobytes();
    struct token_list list = encode(t, text, size);
    assert_true(peak_kilobytes() - before < 64 * 1024);
    token_list_free(&list);
    free(text);
    tokenizer_close(t);
    gguf_close(model);
}

static void memory_of_byte_level(void **state)
{
    (void)state;
    check_memory(GPT2);
}

static void memory_of_sentence_piece(void **state)
{
    (void)state;
    check_memory(LLAMA);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(memory_of_byte_level),
        cmocka_unit_test(memory_of_sentence_piece),
        cmocka_unit_test(byte_level),
        cmocka_unit_test(of_the_fixture),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
