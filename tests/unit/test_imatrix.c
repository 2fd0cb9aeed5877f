/* Importance matrices: both file forms, and files that are none. */
#include "quant/quant.h"
#include "tests/unit/tiny_gguf.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

static struct gguf_str text(const char *s)
{
    return (struct gguf_str){s, strlen(s)};
}

/* Writes a file and opens it as an importance matrix. */
static enum gguf_status open_bytes(struct quant_imatrix **out, const void *bytes, size_t size,
                                   struct gguf_error *err)
{
    char path[] = "/tmp/test_imatrix.......";
    memset(path + strlen(path) - 6, 'X', 6);
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, size), size);
    close(fd);
    enum gguf_status status = quant_imatrix_open(out, path, err);
    unlink(path);
    assert_int_equal(*out != NULL, status == GGUF_OK);
    return status;
}

/* ---- The legacy form -------------------------------------------------------------------- */

struct legacy {
    unsigned char bytes[512];
    size_t size;
};

static void put_i32(struct legacy *file, int32_t value)
{
    for (int i = 0; i < 4; i++)
        file->bytes[file->size++] = (unsigned char)((uint32_t)value >> (8 * i));
}

static void put_f32(struct legacy *file, float value)
{
    int32_t bits;
    memcpy(&bits, &value, sizeof bits);
    put_i32(file, bits);
}

static void put_text(struct legacy *file, const char *s)
{
    put_i32(file, (int32_t)strlen(s));
    memcpy(file->bytes + file->size, s, strlen(s));
    file->size += strlen(s);
}

static void put_entry(struct legacy *file, const char *name, int32_t calls,
                      const float values[4])
{
    put_text(file, name);
    put_i32(file, calls);
    put_i32(file, 4);
    for (int i = 0; i < 4; i++)
        put_f32(file, values[i]);
}

static const float sums[4] = {2, 4, 0, 8};

static struct legacy two_entries(void)
{
    struct legacy file = {.size = 0};
    put_i32(&file, 2);
    put_entry(&file, "b.weight", 2, sums);
    put_entry(&file, "a.weight", 0, sums);
    return file;
}

static void legacy_entries(void **state)
{
    (void)state;
    struct legacy file = two_entries();
    struct quant_imatrix *imatrix;
    put_i32(&file, 7);
    put_text(&file, "calib.txt");
    assert_int_equal(open_bytes(&imatrix, file.bytes, file.size, NULL), GGUF_OK);
    assert_int_equal(quant_imatrix_count(imatrix), 2);
    assert_int_equal(quant_imatrix_chunks(imatrix), 7);
    assert_true(gguf_str_equal(quant_imatrix_dataset(imatrix), "calib.txt"));

    const struct quant_importance *b = quant_imatrix_find(imatrix, text("b.weight"));
    assert_ptr_equal(b, quant_imatrix_at(imatrix, 0));
    assert_null(quant_imatrix_at(imatrix, 2));
    assert_null(quant_imatrix_find(imatrix, text("c.weight")));
    assert_null(quant_imatrix_find(imatrix, text("")));
    for (int i = 0; i < 4; i++)
        assert_true(b->weights[i] == sums[i] / 2);
    const struct quant_importance *a = quant_imatrix_find(imatrix, text("a.weight"));
    for (int i = 0; i < 4; i++)
        assert_true(a->weights[i] == 1); /* nothing was counted */
    quant_imatrix_close(imatrix);
    quant_imatrix_close(NULL);
}

static void legacy_experts_divide_by_the_tensor(void **state)
{
    (void)state;
    struct legacy file = two_entries();
    struct quant_imatrix *imatrix;
    assert_int_equal(open_bytes(&imatrix, file.bytes, file.size, NULL), GGUF_OK);
    assert_int_equal(quant_imatrix_chunks(imatrix), 0);
    assert_int_equal(quant_imatrix_dataset(imatrix).size, 0);

    const struct quant_importance *b = quant_imatrix_find(imatrix, text("b.weight"));
    assert_false(b->divided);
    assert_int_equal(b->columns, 4);
    assert_int_equal(b->experts, 1);
    assert_ptr_equal(quant_importance_row(b, 4, 0), b->weights);
    assert_ptr_equal(quant_importance_row(b, 2, 1), b->weights + 2);
    assert_null(quant_importance_row(b, 2, 2));
    assert_null(quant_importance_row(b, 3, 0));
    assert_null(quant_importance_row(b, 0, 0));
    assert_null(quant_importance_row(NULL, 4, 0));

    struct gguf_tensor tensor = {.ne = {2, 9, 2, 1}};
    assert_true(quant_importance_fits(b, &tensor));
    tensor.ne[2] = 1;
    assert_false(quant_importance_fits(b, &tensor));
    tensor.ne[0] = UINT64_MAX / 2;
    assert_false(quant_importance_fits(b, &tensor));
    quant_imatrix_close(imatrix);
}

static void every_prefix_fails_cleanly(void **state)
{
    (void)state;
    struct legacy file = two_entries();
    size_t without_tail = file.size;
    put_i32(&file, 7);
    put_text(&file, "calib.txt");
    for (size_t size = 0; size < file.size; size++) {
        struct quant_imatrix *imatrix;
        struct gguf_error err;
        enum gguf_status status = open_bytes(&imatrix, file.bytes, size, &err);
        assert_int_equal(status, size == without_tail ? GGUF_OK : GGUF_ERR_TRUNCATED);
        quant_imatrix_close(imatrix);
    }
}

/* Overwrites every 32-bit place with hostile numbers: any verdict, no crash. */
static void hostile_counts(void **state)
{
    (void)state;
    static const int32_t hostile[] = {-1, 0, 1, INT32_MIN, INT32_MAX, 0x40000000};
    struct legacy good = two_entries();
    for (size_t at = 0; at + 4 <= good.size; at++) {
        for (size_t i = 0; i < sizeof hostile / sizeof hostile[0]; i++) {
            struct legacy file = good;
            struct quant_imatrix *imatrix;
            file.size = at;
            put_i32(&file, hostile[i]);
            open_bytes(&imatrix, file.bytes, good.size, NULL);
            quant_imatrix_close(imatrix);
        }
    }
}

static void impossible_values_name_the_tensor(void **state)
{
    (void)state;
    const float bad[] = {NAN, INFINITY, -INFINITY, -1};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct legacy file = {.size = 0};
        struct quant_imatrix *imatrix;
        struct gguf_error err;
        put_i32(&file, 1);
        put_entry(&file, "blk.0.ffn_up.weight", 3, (const float[4]){1, 1, bad[i], 1});
        assert_int_equal(open_bytes(&imatrix, file.bytes, file.size, &err), GGUF_ERR_DATA);
        assert_non_null(strstr(err.message, "blk.0.ffn_up.weight"));
        assert_non_null(strstr(err.message, "index 2"));
    }
}

static void contradictions_are_refused(void **state)
{
    (void)state;
    struct quant_imatrix *imatrix;
    struct legacy file = two_entries();
    put_i32(&file, 7);
    put_text(&file, "x");
    file.size++; /* a byte too many */
    assert_int_equal(open_bytes(&imatrix, file.bytes, file.size, NULL), GGUF_ERR_CORRUPT);

    file.size = 0;
    put_i32(&file, 2);
    put_entry(&file, "a.weight", 1, sums);
    put_entry(&file, "a.weight", 1, sums);
    assert_int_equal(open_bytes(&imatrix, file.bytes, file.size, NULL), GGUF_ERR_CORRUPT);

    const char page[] = "<!DOCTYPE html><html><head></head><body></body></html>";
    assert_int_not_equal(open_bytes(&imatrix, page, sizeof page, NULL), GGUF_OK);
    assert_int_equal(quant_imatrix_open(&imatrix, "/dev/zero", NULL), GGUF_ERR_ARGUMENT);
    assert_int_equal(quant_imatrix_open(&imatrix, "no/such/file", NULL), GGUF_ERR_IO);
    assert_null(imatrix);
}

/* ---- The GGUF form --------------------------------------------------------------- */

static struct tiny tiny; /* too large for the stack */

/* Two experts of four columns; the second was never reached unless `count` says so. */
static enum gguf_status open_gguf(struct quant_imatrix **out, const float values[8],
                                  float count, uint64_t n_counts, struct gguf_error *err)
{
    const float counts[2] = {2, count};
    memset(&tiny, 0, sizeof tiny);
    tiny_string(&tiny, "general.type", "imatrix");
    tiny_strings(&tiny, "imatrix.datasets", "wiki.txt");
    tiny_u32(&tiny, "imatrix.chunk_count", 12);
    tiny_tensor(&tiny, "x.weight.in_sum2", GGUF_F32, (const uint64_t[3]){4, 2, 1}, values);
    tiny_tensor(&tiny, "x.weight.counts", GGUF_F32, (const uint64_t[3]){1, n_counts, 1},
                counts);
    tiny_finish(&tiny);
    return open_bytes(out, tiny.file, tiny.file_size, err);
}

static void gguf_experts(void **state)
{
    (void)state;
    const float values[8] = {2, 4, 6, 8, 1, 1, 1, 1};
    struct quant_imatrix *imatrix;
    assert_int_equal(open_gguf(&imatrix, values, 0, 2, NULL), GGUF_OK);
    assert_int_equal(quant_imatrix_count(imatrix), 1);
    assert_int_equal(quant_imatrix_chunks(imatrix), 12);
    assert_true(gguf_str_equal(quant_imatrix_dataset(imatrix), "wiki.txt"));

    const struct quant_importance *x = quant_imatrix_find(imatrix, text("x.weight"));
    assert_non_null(x);
    assert_true(x->divided);
    assert_int_equal(x->columns, 4);
    assert_int_equal(x->experts, 2);
    const float *first = quant_importance_row(x, 4, 0), *second = quant_importance_row(x, 4, 1);
    for (int i = 0; i < 4; i++) {
        assert_true(first[i] == values[i] / 2);
        assert_true(second[i] == 1);
    }
    assert_null(quant_importance_row(x, 4, 2));
    assert_null(quant_importance_row(x, 2, 0));
    const struct gguf_tensor matrix = {.ne = {8, 3, 1, 1}}, experts = {.ne = {4, 3, 2, 1}};
    assert_true(quant_importance_fits(x, &experts));
    assert_false(quant_importance_fits(x, &matrix));
    quant_imatrix_close(imatrix);
}

static void bad_gguf_is_refused(void **state)
{
    (void)state;
    const float good[8] = {1, 1, 1, 1, 1, 1, 1, 1}, bad[8] = {1, 1, 1, 1, 1, 1, NAN, 1};
    struct quant_imatrix *imatrix;
    struct gguf_error err;
    assert_int_equal(open_gguf(&imatrix, bad, 1, 2, &err), GGUF_ERR_DATA);
    assert_non_null(strstr(err.message, "x.weight"));
    assert_int_equal(open_gguf(&imatrix, good, -1, 2, &err), GGUF_ERR_DATA);
    assert_int_equal(open_gguf(&imatrix, good, NAN, 2, &err), GGUF_ERR_DATA);
    assert_int_equal(open_gguf(&imatrix, good, 1, 1, &err), GGUF_ERR_CORRUPT);

    memset(&tiny, 0, sizeof tiny);
    tiny_tensor(&tiny, "x.weight", GGUF_F32, (const uint64_t[3]){4, 2, 1}, good);
    tiny_finish(&tiny);
    assert_int_equal(open_bytes(&imatrix, tiny.file, tiny.file_size, &err),
                     GGUF_ERR_UNSUPPORTED);
}

/* ---- Real files ------------------------------------------------------------------ */

static void real_gguf_files(void **state)
{
    static const struct {
        const char *path;
        size_t entries;
    } rows[] = {{"../shared/recipes/a_llama8.imatrix.gguf", 56},
                {"../shared/recipes/e_mixtral8x8.imatrix.gguf", 64},
                {"../shared/recipes/j1_odd_ffn.imatrix.gguf", 56}};
    (void)state;
    if (access(rows[0].path, R_OK) != 0)
        skip();
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct quant_imatrix *imatrix;
        assert_int_equal(quant_imatrix_open(&imatrix, rows[i].path, NULL), GGUF_OK);
        assert_int_equal(quant_imatrix_count(imatrix), rows[i].entries);
        assert_int_equal(quant_imatrix_chunks(imatrix), 4);
        assert_true(gguf_str_equal(quant_imatrix_dataset(imatrix), "recipegold-fabricated"));
        quant_imatrix_close(imatrix);
    }
}

static void real_legacy_file(void **state)
{
    static const char path[] = "../shared/golden-eval/shakespeare-imatrix.dat";
    (void)state;
    if (access(path, R_OK) != 0)
        skip();
    struct quant_imatrix *imatrix;
    assert_int_equal(quant_imatrix_open(&imatrix, path, NULL), GGUF_OK);
    assert_int_equal(quant_imatrix_count(imatrix), 28);
    assert_int_equal(quant_imatrix_chunks(imatrix), 208);
    assert_true(gguf_str_equal(quant_imatrix_dataset(imatrix), "calib.txt"));
    const struct quant_importance *down =
        quant_imatrix_find(imatrix, text("blk.3.ffn_down.weight"));
    assert_non_null(down);
    assert_int_equal(down->columns, 768);
    assert_true(fabsf(down->weights[0] - 51.0437546f / 208) < 1e-6f);
    quant_imatrix_close(imatrix);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(legacy_entries),
        cmocka_unit_test(legacy_experts_divide_by_the_tensor),
        cmocka_unit_test(every_prefix_fails_cleanly),
        cmocka_unit_test(hostile_counts),
        cmocka_unit_test(impossible_values_name_the_tensor),
        cmocka_unit_test(contradictions_are_refused),
        cmocka_unit_test(gguf_experts),
        cmocka_unit_test(bad_gguf_is_refused),
        cmocka_unit_test(real_gguf_files),
        cmocka_unit_test(real_legacy_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
