/* Tokenizers: the golden ids of real vocabularies, what hostile vocabularies do, and texts
 * that would take quadratic time. */
#include "libgguf/gguf.h"
#include "model/tokenizer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>

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

/* ---- Golden ids ------------------------------------------------------------------------ */

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(golden_bert_bge),  cmocka_unit_test(golden_deepseek_llm),
        cmocka_unit_test(golden_falcon),    cmocka_unit_test(golden_gpt_2),
        cmocka_unit_test(golden_llama_spm), cmocka_unit_test(golden_phi_3),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
