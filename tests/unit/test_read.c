/* Reading files: headers of every length, what they cost, where errors are, many threads. */
#include "tests/unit/raw_gguf.h"
#include "tests/unit/scratch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <cmocka.h>

/* ---- Long headers ------------------------------------------------------------------- */

static void save(struct scratch *s, const struct raw *r)
{
    assert_true(raw_save(scratch_path(s, "m.gguf"), r->data, r->size));
}

/* A header of exactly `size` bytes, filled up by a string, and a tensor of 32 bytes. Returns
 * where the string starts. */
static size_t build_padded(struct raw *r, size_t size)
{
    raw_start(r, 3, 1, 2);
    raw_u32(r, "before", 1);
    raw_key(r, "text", GGUF_VALUE_STRING);
    const size_t info = 8 + 1 + 4 + 8 + 4 + 8; /* of the tensor "t" */
    size_t text = size - r->size - 8 - info;
    raw_size(r, text);
    size_t start = r->size;
    for (size_t i = 0; i < text; i++)
        raw_bytes(r, &"abcdefg"[i % 7], 1);
    raw_tensor(r, "t", GGUF_F32, 8, 0);
    assert_int_equal(r->size, size);
    raw_data(r, 32, 32);
    return start;
}

/* The header of a file is loaded in pieces: it may end before, at and after the end of one,
 * and the file may end with it. */
static void every_end(void **state)
{
    struct scratch *s = *state;
    static const size_t ends[] = {65536, 131072, 262144};
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
        for (size_t size = ends[i] - 40; size <= ends[i] + 40; size++) {
            struct raw r = {0};
            struct gguf *model;
            struct gguf_error err;
            struct gguf_str text;
            unsigned char bytes[32];
            size_t start = build_padded(&r, size);
            save(s, &r);
            assert_int_equal(gguf_open(&model, s->path, 0, &err), GGUF_OK);
            assert_int_equal(gguf_file_at(model, 0)->header_bytes, size);
            assert_true(gguf_get_string(model, "text", &text));
            assert_memory_equal(text.data, r.data + start, text.size);
            const struct gguf_tensor *t = gguf_tensor_find(model, "t");
            assert_int_equal(gguf_tensor_read(model, t, 0, bytes, 32, &err), GGUF_OK);
            assert_memory_equal(bytes, r.data + r.size - 32, 32);
            gguf_close(model);
            raw_free(&r);
        }
    }
}

/* The file is cut inside the second piece. */
static void cut_far_inside(void **state)
{
    struct scratch *s = *state;
    struct raw r = {0};
    struct gguf *model;
    struct gguf_error err;
    build_padded(&r, 100000);
    for (size_t size = 99980; size < 100000 + 32; size++) {
        assert_true(raw_save(scratch_path(s, "m.gguf"), r.data, size));
        assert_int_equal(gguf_open(&model, s->path, 0, &err), GGUF_ERR_TRUNCATED);
        assert_null(model);
    }
    raw_free(&r);
}

/* In a large (sparse) file an impossible length fits, and is still not loaded. */
static void length_in_a_large_file(void **state)
{
    struct scratch *s = *state;
    struct gguf *model;
    struct gguf_error err;
    for (int array = 0; array <= 1; array++) {
        struct raw r = {0};
        raw_start(&r, 3, 0, 1);
        raw_key(&r, "x", array ? GGUF_VALUE_ARRAY : GGUF_VALUE_STRING);
        if (array)
            raw_array(&r, GGUF_VALUE_STRING, 1u << 28);
        else
            raw_size(&r, 1u << 31);
        save(s, &r);
        assert_int_equal(truncate(s->path, (off_t)1 << 40), 0);
        assert_int_equal(gguf_open(&model, s->path, 0, &err), GGUF_ERR_UNSUPPORTED);
        assert_int_equal(err.offset, 24);
        raw_free(&r);
    }
}

/* ---- Memory ------------------------------------------------------------------------- */

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED true
#endif
#elif defined(__SANITIZE_ADDRESS__)
#define SANITIZED true
#endif
#ifndef SANITIZED
#define SANITIZED false /* a sanitizer's own memory would be counted */
#endif

/* Kilobytes that opening a file adds to a process, measured in one of its own; -1 where it
 * does not open. */
static long cost_of_opening(const char *path)
{
    int pipe_fds[2];
    long cost = -1;
    assert_int_equal(pipe(pipe_fds), 0);
    pid_t child = fork();
    if (child == 0) {
        struct gguf *model;
        struct rusage before, after;
        getrusage(RUSAGE_SELF, &before);
        bool good = gguf_open(&model, path, 0, NULL) == GGUF_OK;
        getrusage(RUSAGE_SELF, &after);
        cost = good ? after.ru_maxrss - before.ru_maxrss : -1;
        _exit(write(pipe_fds[1], &cost, sizeof cost) != sizeof cost);
    }
    close(pipe_fds[1]);
    assert_int_equal(read(pipe_fds[0], &cost, sizeof cost), sizeof cost);
    close(pipe_fds[0]);
    assert_int_equal(waitpid(child, NULL, 0), child);
    return cost;
}

/* Names of five bytes are about the shortest that so many can have. */
static void memory_of_long_headers(void **state)
{
    if (SANITIZED)
        skip();
    struct scratch *s = *state;
    for (int tensors = 0; tensors <= 1; tensors++) {
        struct raw r = {0};
        const uint32_t n = 200000;
        raw_start(&r, 3, tensors ? n : 0, tensors ? 0 : n);
        for (uint32_t i = 0; i < n; i++) {
            char name[16];
            snprintf(name, sizeof name, "%05x", i);
            if (tensors) {
                raw_tensor(&r, name, GGUF_I8, 0, 0);
            } else {
                raw_key(&r, name, GGUF_VALUE_U8);
                raw_uint(&r, 1, 1);
            }
        }
        raw_data(&r, 32, 0);
        save(s, &r);
        long limit = (long)(8 * r.size / 1024);
        raw_free(&r);
        assert_in_range(cost_of_opening(s->path), 1, limit);
    }
}

/* ---- Errors ------------------------------------------------------------------------- */

static void two_byte_orders(void **state)
{
    (void)state;
    struct raw r = {0};
    raw_start(&r, 3, 0, 0);
    assert_int_equal(raw_status(&r), GGUF_OK);
    memcpy(r.data, "FUGG", 4); /* turned round, and what follows is not */
    assert_int_equal(raw_status(&r), GGUF_ERR_CORRUPT);
    raw_free(&r);
}

static void nul_in_a_tensor_name(void **state)
{
    (void)state;
    struct raw r = {0};
    raw_start(&r, 3, 1, 0);
    raw_tensor(&r, "a.b", GGUF_F32, 8, 0);
    raw_data(&r, 32, 32);
    assert_int_equal(raw_status(&r), GGUF_OK);
    r.data[24 + 8 + 1] = '\0';
    assert_int_equal(raw_status(&r), GGUF_ERR_CORRUPT);
    raw_free(&r);
}

/* The offset is that of the record in the header, in either width of lengths. */
static void offsets_of_errors(void **state)
{
    (void)state;
    for (uint32_t version = 1; version <= 3; version++) {
        struct raw r = {0};
        struct gguf_error err;
        raw_start(&r, version, 2, 0);
        raw_tensor(&r, "good", GGUF_F32, 8, 0);
        size_t record = r.size;
        raw_tensor(&r, "bad", 250, 8, 32);
        raw_data(&r, 32, 64);
        assert_int_equal(raw_try(r.data, r.size, 0, NULL, &err), GGUF_ERR_UNSUPPORTED);
        assert_int_equal(err.offset, record);
        raw_start(&r, version, 0, 2);
        raw_u32(&r, "first", 1);
        record = r.size;
        raw_u32(&r, "general.alignment", 33);
        assert_int_equal(raw_try(r.data, r.size, 0, NULL, &err), GGUF_ERR_CORRUPT);
        assert_int_equal(err.offset, record);
        raw_free(&r);
    }
}

/* All that is missing is told with the first tensor that is cut. */
static void missing_bytes(void **state)
{
    (void)state;
    struct raw r = {0};
    struct gguf_error err;
    raw_start(&r, 3, 3, 0);
    raw_tensor(&r, "whole", GGUF_F32, 8, 0);
    raw_tensor(&r, "cut", GGUF_F32, 8, 32);
    raw_tensor(&r, "gone", GGUF_F32, 1024, 64);
    raw_data(&r, 32, 48);
    assert_int_equal(raw_try(r.data, r.size, 0, NULL, &err), GGUF_ERR_TRUNCATED);
    assert_int_equal(err.offset, r.size);
    assert_non_null(strstr(err.message, "tensor cut "));
    assert_non_null(strstr(err.message, " 4112 are missing")); /* 16 + 4096 */
    raw_free(&r);
}

/* ---- Threads and hints -------------------------------------------------------------- */

static void hints(void **state)
{
    struct scratch *s = *state;
    struct raw r = {0};
    struct gguf *model;
    struct gguf_error err;
    static const uint64_t numbers[] = {0, 1, 31, 32, 33, 1u << 31, UINT64_MAX};
    unsigned char bytes[32];
    build_padded(&r, 1000);
    save(s, &r);
    assert_int_equal(gguf_open(&model, s->path, GGUF_OPEN_MAP, &err), GGUF_OK);
    const struct gguf_tensor *t = gguf_tensor_at(model, 0);
    for (size_t i = 0; i < 7; i++) {
        for (size_t k = 0; k < 7; k++) {
            gguf_tensor_advise(model, t, numbers[i], numbers[k], GGUF_ADVISE_WILL_NEED);
            gguf_tensor_advise(model, t, numbers[i], numbers[k], GGUF_ADVISE_DONE);
        }
    }
    assert_int_equal(gguf_tensor_read(model, t, 0, bytes, 32, &err), GGUF_OK);
    assert_memory_equal(bytes, gguf_tensor_map(model, t), 32);
    gguf_close(model);
    raw_free(&r);
}

static void many_threads(void **state)
{
    (void)state;
    struct gguf *model;
    struct gguf_error err;
    const char *fixture = "fixtures/shakespeare-f16.gguf";
    assert_int_equal(gguf_open(&model, fixture, GGUF_OPEN_MAP, &err), GGUF_OK);
    size_t n = gguf_tensor_count(model);
    int wrong = 0;
#pragma omp parallel for num_threads(8) reduction(+ : wrong)
    for (size_t i = 0; i < 8 * n; i++) {
        const struct gguf_tensor *t = gguf_tensor_at(model, i % n);
        unsigned char *bytes = malloc(t->bytes);
        if (!bytes || gguf_tensor_read(model, t, 0, bytes, t->bytes, NULL) != GGUF_OK ||
            memcmp(bytes, gguf_tensor_map(model, t), t->bytes) != 0)
            wrong++;
        free(bytes);
    }
    assert_int_equal(wrong, 0);
    gguf_close(model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_SCRATCH(every_end),
        IN_SCRATCH(cut_far_inside),
        IN_SCRATCH(length_in_a_large_file),
        IN_SCRATCH(memory_of_long_headers),
        cmocka_unit_test(two_byte_orders),
        cmocka_unit_test(nul_in_a_tensor_name),
        cmocka_unit_test(offsets_of_errors),
        cmocka_unit_test(missing_bytes),
        IN_SCRATCH(hints),
        cmocka_unit_test(many_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
