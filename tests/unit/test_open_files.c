/* Opening: files that are something else, long headers, real files. */
#include "raw_gguf.h"

#include <cjson/cJSON.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>
#include "touch.h"

#define FIXTURE "fixtures/shakespeare-f16.gguf"
#define CORPUS  "../shared/corpus/gguf"

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* ---- Files that are something else ----------------------------------------------- */

static void expect_not_gguf(const char *path, const char *word)
{
    struct gguf *model = NULL;
    struct gguf_error err = {0};
    assert_int_equal(gguf_open(&model, path, 0, &err), GGUF_ERR_NOT_GGUF);
    assert_null(model);
    if (!strstr(err.message, word) || !strstr(err.message, path))
        fail_msg("\"%s\" and \"%s\" expected in: %s", word, path, err.message);
}

static void other_files(void **state)
{
    (void)state;
    static const struct {
        const char *content;
        size_t size;
        const char *word;
    } cases[] = {
        {"", 0, "empty"},
        {"<!DOCTYPE html><html><body>Log in</body></html>", 47, "HTML"},
        {"\n\n  <HTML lang=en>", 18, "HTML"},
        {"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n", 64, "LFS"},
        {"\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 20, "zero"},
        {"\x1f\x8b\x08\0\0\0\0\0\0\3\0\0", 12, "gzip"},
        {"PK\3\4\24\0\0\0\0\0\0\0\0", 13, "zip"},
        {"\x40\0\0\0\0\0\0\0{\"__metadata__\":{\"format\":\"pt\"}}", 39, "safetensors"},
        {"lmgg\1\0\0\0\0\0\0\0", 12, "GGML"},
        {"tjgg\1\0\0\0\0\0\0\0", 12, "GGJT"},
        {"gguf\3\0\0\0\0\0\0\0", 12, "capital"},
        {"{\"error\":\"Invalid credentials\"}", 31, "JSON"},
        {"hello, world", 12, "magic"},
    };
    char path[] = "/tmp/ggufkit-XXXXXX";
    assert_int_not_equal(close(mkstemp(path)), -1);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_true(raw_save(path, cases[i].content, cases[i].size));
        expect_not_gguf(path, cases[i].word);
    }
    unlink(path);
}

static void no_regular_files(void **state)
{
    (void)state;
    struct gguf *model;
    struct gguf_error err;
    char dir[] = "/tmp/ggufkit-XXXXXX", path[64];
    assert_non_null(mkdtemp(dir));
    expect_not_gguf(dir, "folder");
    snprintf(path, sizeof path, "%s/fifo", dir);
    assert_int_equal(mkfifo(path, 0600), 0);
    alarm(10); /* a hang ends the test */
    expect_not_gguf(path, "regular");
    alarm(0);
    unlink(path);
    expect_not_gguf("/dev/zero", "regular");
    assert_int_equal(gguf_open(&model, path, 0, &err), GGUF_ERR_IO);
    assert_int_equal(err.system_errno, 2);
    assert_null(model);
    rmdir(dir);
}

/* ---- Time ------------------------------------------------------------------------ */

#define MANY 200000u

static void expect_fast(struct raw *r, void (*use)(const struct gguf *))
{
    double start = now();
    assert_int_equal(raw_try(r->data, r->size, 0, use, NULL), GGUF_OK);
    assert_true(now() - start < 2.0);
    raw_free(r);
}

static void check_many_keys(const struct gguf *model)
{
    uint64_t n = 0;
    assert_int_equal(gguf_kv_count(model), MANY);
    assert_true(gguf_get_u64(model, "key.199999", &n) && n == 199999);
}

static void many_keys(void **state)
{
    (void)state;
    struct raw r = {0};
    raw_start(&r, 3, 0, MANY);
    for (uint32_t i = 0; i < MANY; i++) {
        char key[32];
        snprintf(key, sizeof key, "key.%u", i);
        raw_u32(&r, key, i);
    }
    expect_fast(&r, check_many_keys);
}

static void check_many_tensors(const struct gguf *model)
{
    assert_int_equal(gguf_tensor_count(model), MANY);
    assert_ptr_equal(gguf_tensor_find(model, "t.123456"), gguf_tensor_at(model, 123456));
}

/* In falling order of offsets, so that the check for overlaps has to sort. */
static void many_tensors(void **state)
{
    (void)state;
    struct raw r = {0};
    raw_start(&r, 3, MANY, 0);
    for (uint32_t i = 0; i < MANY; i++) {
        char name[32];
        snprintf(name, sizeof name, "t.%u", i);
        raw_tensor(&r, name, GGUF_F32, 1, 32ull * (MANY - 1 - i));
    }
    raw_data(&r, 32, 0);
    raw_bytes(&r, NULL, 32ull * MANY);
    expect_fast(&r, check_many_tensors);
}

static void check_many_strings(const struct gguf *model)
{
    struct gguf_value list;
    uint32_t n = 0;
    assert_true(gguf_get_array(model, "list", GGUF_VALUE_STRING, &list));
    struct gguf_iter it = gguf_items(list);
    for (struct gguf_value item; gguf_next(&it, &item); n++) {
        char text[16];
        struct gguf_str s;
        snprintf(text, sizeof text, "%u", n);
        assert_true(gguf_value_string(item, &s) && gguf_str_equal(s, text));
    }
    assert_int_equal(n, MANY);
    assert_int_equal(it.position, list.size);
}

static void many_strings(void **state)
{
    (void)state;
    struct raw r = {0};
    raw_start(&r, 3, 0, 1);
    raw_key(&r, "list", GGUF_VALUE_ARRAY);
    raw_array(&r, GGUF_VALUE_STRING, MANY);
    for (uint32_t i = 0; i < MANY; i++) {
        char text[16];
        snprintf(text, sizeof text, "%u", i);
        raw_text(&r, text);
    }
    expect_fast(&r, check_many_strings);
}

/* ---- Real files ------------------------------------------------------------------ */

static void fixture(void **state)
{
    (void)state;
    struct gguf *model;
    struct gguf_error err;
    struct gguf_value tokens;
    struct gguf_str name;
    uint64_t blocks, context, elements = 0;
    double base;
    bool bos = false;
    assert_int_equal(gguf_open(&model, FIXTURE, GGUF_OPEN_MAP, &err), GGUF_OK);
    assert_true(gguf_str_equal(gguf_architecture(model), "llama"));
    assert_true(gguf_get_string(model, "general.name", &name));
    assert_true(gguf_str_equal(name, "ggufkit Shakespeare"));
    assert_true(gguf_get_arch_u64(model, "block_count", &blocks) && blocks == 4);
    assert_true(gguf_get_arch_u64(model, "context_length", &context) && context == 256);
    assert_true(gguf_get_f64(model, "llama.rope.freq_base", &base) && base == 10000.0);
    assert_true(gguf_get_bool(model, "tokenizer.ggml.add_bos_token", &bos) && bos);
    assert_true(gguf_get_array(model, "tokenizer.ggml.tokens", GGUF_VALUE_STRING, &tokens));
    assert_int_equal(tokens.count, 1024);
    assert_false(gguf_get_array(model, "tokenizer.ggml.tokens", GGUF_VALUE_F32, &tokens));
    for (size_t i = 0; i < gguf_tensor_count(model); i++)
        elements += gguf_tensor_at(model, i)->elements;
    assert_in_range(elements, 3600000, 3799999);
    const struct gguf_tensor *t = gguf_tensor_find(model, "token_embd.weight");
    assert_int_equal(t->type, GGUF_F16);
    assert_int_equal(t->n_dims, 2);
    assert_true(t->ne[0] == 256 && t->ne[1] == 1024 && t->ne[2] == 1 && t->ne[3] == 1);
    unsigned char row[512];
    assert_int_equal(gguf_tensor_read(model, t, 512, row, 512, &err), GGUF_OK);
    assert_memory_equal((const unsigned char *)gguf_tensor_map(model, t) + 512, row, 512);
    assert_int_equal(gguf_file_at(model, 0)->file_bytes, 7373888);
    assert_null(gguf_file_at(model, 1));
    gguf_close(model);
}

/* The manifest of the corpus, or NULL where there is none. */
static cJSON *read_manifest(void)
{
    FILE *f = fopen(CORPUS "/manifest.json", "rb");
    if (!f)
        return NULL;
    static char text[1 << 20];
    size_t n = fread(text, 1, sizeof text, f);
    fclose(f);
    return cJSON_ParseWithLength(text, n);
}

static const char *text_of(const cJSON *entry, const char *key)
{
    return cJSON_GetStringValue(cJSON_GetObjectItem(entry, key));
}

static void corpus_verdicts(void **state)
{
    (void)state;
    cJSON *manifest = read_manifest();
    if (!manifest)
        skip();
    const cJSON *entry;
    size_t wrong = 0, accepted = 0, refused = 0;
    cJSON_ArrayForEach(entry, manifest)
    {
        struct gguf *model;
        struct gguf_error err = {0};
        char path[512];
        const char *expect = text_of(entry, "expect");
        if (strcmp(expect, "either") == 0)
            expect = text_of(entry, "recommend");
        snprintf(path, sizeof path, CORPUS "/%s", text_of(entry, "file"));
        double start = now();
        bool good = gguf_open(&model, path, 0, &err) == GGUF_OK;
        if (good)
            touch_model(model);
        gguf_close(model);
        *(good ? &accepted : &refused) += 1;
        if (good != (strcmp(expect, "accept") == 0) || now() - start > 2) {
            print_error("%s: expected %s: %s\n", path, expect, err.message);
            wrong++;
        }
    }
    cJSON_Delete(manifest);
    assert_int_equal(wrong, 0);
    assert_true(accepted > 0 && refused > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(other_files),     cmocka_unit_test(no_regular_files),
        cmocka_unit_test(many_keys),       cmocka_unit_test(many_tensors),
        cmocka_unit_test(many_strings),    cmocka_unit_test(fixture),
        cmocka_unit_test(corpus_verdicts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
