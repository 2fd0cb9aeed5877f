/* Opening: what is a valid file, what is not, and what is said of it. */
#include "raw_gguf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>
#include "touch.h"

/* ---- Helpers ------------------------------------------------------------------------ */

/* Four keys and two tensors, F32 with 8 and 5 elements: 12 bytes of padding at the end.
 * Returns the size of the header. */
static size_t build_small(struct raw *r, uint32_t version)
{
    raw_start(r, version, 2, 4);
    raw_key(r, "general.architecture", GGUF_VALUE_STRING);
    raw_text(r, "llama");
    raw_u32(r, "llama.block_count", 0x01020304);
    raw_key(r, "list", GGUF_VALUE_ARRAY);
    raw_array(r, GGUF_VALUE_STRING, 2);
    raw_text(r, "one");
    raw_text(r, "");
    raw_key(r, "flag", GGUF_VALUE_BOOL);
    raw_uint(r, 1, 1);
    raw_tensor(r, "a", GGUF_F32, 8, 0);
    raw_tensor(r, "b", GGUF_F32, 5, 32);
    size_t header = r->size;
    raw_data(r, 32, 52);
    raw_bytes(r, NULL, 12);
    return header;
}

/* ---- Damage ------------------------------------------------------------------------- */

static void every_prefix(void **state)
{
    (void)state;
    for (uint32_t version = 1; version <= 3; version++) {
        struct raw r = {0};
        build_small(&r, version);
        for (size_t n = 0; n <= r.size; n++) {
            enum gguf_status status = raw_try(r.data, n, 0, touch_model, NULL);
            raw_try(r.data, n, GGUF_OPEN_INSPECT, touch_model, NULL);
            if (n >= r.size - 12)
                assert_int_equal(status, GGUF_OK);
            else
                assert_int_equal(status, n ? GGUF_ERR_TRUNCATED : GGUF_ERR_NOT_GGUF);
        }
        raw_free(&r);
    }
}

static void every_flip(void **state)
{
    (void)state;
    static const unsigned char masks[] = {1, 2, 4, 8, 16, 32, 64, 128, 255};
    struct raw r = {0};
    size_t header = build_small(&r, 3);
    size_t refused = 0;
    for (size_t i = 0; i < header; i++) {
        for (size_t k = 0; k < sizeof masks; k++) {
            struct gguf_error err = {0};
            r.data[i] ^= masks[k];
            enum gguf_status status = raw_try(r.data, r.size, 0, touch_model, &err);
            assert_int_equal(status, err.status);
            assert_int_equal(status == GGUF_OK, err.message[0] == '\0');
            raw_try(r.data, r.size, GGUF_OPEN_INSPECT, touch_model, NULL);
            refused += status != GGUF_OK;
            r.data[i] ^= masks[k];
        }
    }
    assert_in_range(refused, header, 9 * header - 1); /* letters of names may change */
    assert_int_equal(raw_status(&r), GGUF_OK);
    raw_free(&r);
}

static void shrinks_while_open(void **state)
{
    (void)state;
    char path[] = "/tmp/ggufkit-XXXXXX";
    struct raw r = {0};
    struct gguf *model;
    struct gguf_error err;
    float values[8];
    build_small(&r, 3);
    assert_int_not_equal(close(mkstemp(path)), -1);
    for (unsigned flags = 0; flags <= GGUF_OPEN_MAP; flags += GGUF_OPEN_MAP) {
        assert_true(raw_save(path, r.data, r.size));
        assert_int_equal(gguf_open(&model, path, flags, &err), GGUF_OK);
        const struct gguf_tensor *a = gguf_tensor_find(model, "a");
        assert_int_equal(gguf_tensor_read(model, a, 0, values, 32, &err), GGUF_OK);
        assert_int_equal(truncate(path, (off_t)a->offset + 16), 0);
        assert_int_equal(gguf_tensor_read(model, a, 0, values, 16, &err), GGUF_OK);
        assert_int_equal(gguf_tensor_read(model, a, 0, values, 32, &err), GGUF_ERR_TRUNCATED);
        assert_non_null(strstr(err.message, path));
        gguf_close(model);
    }
    unlink(path);
    raw_free(&r);
}

/* ---- Versions and byte order ----------------------------------------------------------- */

static void check_small(const struct gguf *model)
{
    uint64_t n = 0;
    float a[8], expected[8];
    unsigned char bytes[32];
    for (unsigned i = 0; i < 32; i++)
        bytes[i] = (unsigned char)(i + 1);
    memcpy(expected, bytes, 32);
    const struct gguf_file *file = gguf_file_at(model, 0);
    assert_true(gguf_get_u64(model, "llama.block_count", &n) && n == 0x01020304);
    assert_int_equal(gguf_tensor_count(model), 2);
    assert_int_equal(gguf_kv_at(model, 2)->value.count, 2);
    const struct gguf_tensor *t = gguf_tensor_find(model, "a");
    assert_int_equal(gguf_tensor_read(model, t, 0, a, 32, NULL), GGUF_OK);
    if (file->big_endian) /* the file's order as it is, the reader's turned round */
        gguf_type_swap(GGUF_F32, a, 32);
    assert_memory_equal(a, expected, 32);
    assert_memory_equal(gguf_tensor_map(model, t), bytes, 32);
    assert_true(file->kv_bytes < file->header_bytes && file->header_bytes <= file->data_offset);
    assert_int_equal(file->data_offset % 32, 0);
    touch_model(model);
}

static void check_big(const struct gguf *model)
{
    assert_true(gguf_file_at(model, 0)->big_endian);
    check_small(model);
}

static void versions_and_orders(void **state)
{
    (void)state;
    for (uint32_t version = 1; version <= 3; version++) {
        struct raw r = {0};
        build_small(&r, version);
        assert_int_equal(raw_try(r.data, r.size, 0, check_small, NULL), GGUF_OK);
        r.big_endian = true;
        build_small(&r, version);
        assert_int_equal(raw_try(r.data, r.size, 0, check_big, NULL), GGUF_OK);
        memcpy(r.data, "FUGG", 4);
        assert_int_equal(raw_try(r.data, r.size, 0, check_big, NULL), GGUF_OK);
        raw_free(&r);
    }
    static const uint32_t wrong[] = {0, 4, 5, 0x10000, 0x7fffffff, UINT32_MAX};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct raw r = {0};
        build_small(&r, wrong[i]);
        assert_int_equal(raw_status(&r), GGUF_ERR_VERSION);
        raw_free(&r);
    }
}

static void big_endian_partial_blocks(void **state)
{
    (void)state;
    struct raw r = {.big_endian = true};
    struct gguf *model;
    unsigned char out[32];
    build_small(&r, 3);
    assert_int_equal(gguf_open_memory(&model, r.data, r.size, 0, NULL), GGUF_OK);
    const struct gguf_tensor *a = gguf_tensor_at(model, 0);
    assert_int_equal(gguf_tensor_read(model, a, 4, out, 8, NULL), GGUF_OK);
    assert_int_equal(gguf_tensor_read(model, a, 2, out, 8, NULL), GGUF_ERR_ARGUMENT);
    assert_int_equal(gguf_tensor_read(model, a, 4, out, 7, NULL), GGUF_ERR_ARGUMENT);
    assert_int_equal(gguf_tensor_read(model, a, 28, out, 8, NULL), GGUF_ERR_ARGUMENT);
    assert_int_equal(gguf_tensor_read(model, a, UINT64_MAX, out, 4, NULL), GGUF_ERR_ARGUMENT);
    assert_int_equal(gguf_tensor_read(model, a, 32, out, 0, NULL), GGUF_OK);
    gguf_close(model);
    raw_free(&r);
}

/* ---- Keys and values -------------------------------------------------------------------- */

/* An array in an array in ..., `depth` of them, with two u8 in the innermost. */
static enum gguf_status open_nested(int depth)
{
    struct raw r = {0};
    raw_start(&r, 3, 0, 1);
    raw_key(&r, "nested", GGUF_VALUE_ARRAY);
    for (int i = 1; i < depth; i++)
        raw_array(&r, GGUF_VALUE_ARRAY, 1);
    raw_array(&r, GGUF_VALUE_U8, 2);
    raw_uint(&r, 0x0807, 2);
    enum gguf_status status = raw_try(r.data, r.size, 0, touch_model, NULL);
    raw_free(&r);
    return status;
}

static void nested_arrays(void **state)
{
    (void)state;
    for (int depth = 1; depth <= GGUF_MAX_DEPTH; depth++)
        assert_int_equal(open_nested(depth), GGUF_OK);
    assert_int_equal(open_nested(GGUF_MAX_DEPTH + 1), GGUF_ERR_UNSUPPORTED);
    assert_int_equal(open_nested(20000), GGUF_ERR_UNSUPPORTED);
}

/* A file with one key of `size` bytes. */
static enum gguf_status open_key(const char *key, size_t size)
{
    struct raw r = {0};
    raw_start(&r, 3, 0, 1);
    raw_size(&r, size);
    raw_bytes(&r, key, size);
    raw_uint(&r, GGUF_VALUE_U8, 4);
    raw_uint(&r, 9, 1);
    raw_bytes(&r, NULL, 8); /* so that an empty key is no matter of the file's end */
    enum gguf_status status = raw_status(&r);
    raw_free(&r);
    return status;
}

static void keys(void **state)
{
    (void)state;
    static char key[GGUF_MAX_KEY + 1];
    memset(key, 'k', sizeof key);
    assert_int_equal(open_key(key, 1), GGUF_OK);
    assert_int_equal(open_key(key, GGUF_MAX_KEY), GGUF_OK);
    assert_int_equal(open_key(key, GGUF_MAX_KEY + 1), GGUF_ERR_CORRUPT);
    assert_int_equal(open_key(key, 0), GGUF_ERR_CORRUPT);
    key[3] = '\0';
    assert_int_equal(open_key(key, 5), GGUF_ERR_CORRUPT);
}

static void duplicate_names(void **state)
{
    (void)state;
    struct raw r = {0};
    raw_start(&r, 3, 0, 2);
    raw_u32(&r, "twice", 1);
    raw_u32(&r, "twice", 1);
    assert_int_equal(raw_status(&r), GGUF_ERR_CORRUPT);
    raw_start(&r, 3, 2, 0);
    raw_tensor(&r, "twice", GGUF_F32, 8, 0);
    raw_tensor(&r, "twice", GGUF_F32, 8, 32);
    raw_data(&r, 32, 64);
    assert_int_equal(raw_status(&r), GGUF_ERR_CORRUPT);
    raw_free(&r);
}

static void bools(void **state)
{
    (void)state;
    struct raw r = {0};
    for (uint64_t value = 0; value < 256; value++) {
        enum gguf_status expected = value > 1 ? GGUF_ERR_CORRUPT : GGUF_OK;
        raw_start(&r, 3, 0, 1);
        raw_key(&r, "flag", GGUF_VALUE_BOOL);
        raw_uint(&r, value, 1);
        assert_int_equal(raw_status(&r), expected);
        raw_start(&r, 3, 0, 1);
        raw_key(&r, "flags", GGUF_VALUE_ARRAY);
        raw_array(&r, GGUF_VALUE_BOOL, 3);
        raw_uint(&r, value << 16 | 1, 3);
        assert_int_equal(raw_status(&r), expected);
    }
    raw_free(&r);
}

static void value_types_that_do_not_exist(void **state)
{
    (void)state;
    static const uint32_t types[] = {13, 14, 255, 256, 264, UINT32_MAX};
    struct raw r = {0};
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        raw_start(&r, 3, 0, 1);
        raw_key(&r, "x", types[i]);
        raw_bytes(&r, NULL, 32);
        assert_int_equal(raw_status(&r), GGUF_ERR_CORRUPT);
        raw_start(&r, 3, 0, 1);
        raw_key(&r, "x", GGUF_VALUE_ARRAY);
        raw_array(&r, types[i], 0);
        raw_bytes(&r, NULL, 32);
        assert_int_equal(raw_status(&r), GGUF_ERR_CORRUPT);
    }
    raw_free(&r);
}

/* Counts and lengths far beyond the file are refused before anything is allocated. */
static void impossible_sizes(void **state)
{
    (void)state;
    static const uint64_t sizes[] = {1000,       1ull << 31, 1ull << 32,     1ull << 60,
                                     1ull << 62, 1ull << 63, UINT64_MAX - 7, UINT64_MAX};
    struct raw r = {0};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        raw_start(&r, 3, sizes[i], 0);
        assert_int_equal(raw_status(&r), GGUF_ERR_TRUNCATED);
        raw_start(&r, 3, 0, sizes[i]);
        assert_int_equal(raw_status(&r), GGUF_ERR_TRUNCATED);
        raw_start(&r, 3, 0, 1);
        raw_key(&r, "x", GGUF_VALUE_STRING);
        raw_size(&r, sizes[i]);
        assert_int_equal(raw_status(&r), GGUF_ERR_TRUNCATED);
        for (uint32_t item = 0; item <= GGUF_VALUE_F64; item++) {
            raw_start(&r, 3, 0, 1);
            raw_key(&r, "x", GGUF_VALUE_ARRAY);
            raw_array(&r, item, sizes[i]);
            assert_int_equal(raw_status(&r), GGUF_ERR_TRUNCATED);
        }
    }
    raw_free(&r);
}

/* ---- Tensors -------------------------------------------------------------------------- */

static enum gguf_status open_aligned(uint32_t type, uint64_t alignment)
{
    struct raw r = {0};
    raw_start(&r, 3, 2, 1);
    raw_key(&r, "general.alignment", type);
    raw_uint(&r, alignment, gguf_value_type_size((enum gguf_value_type)type));
    uint64_t second =
        alignment && alignment <= 1u << 20 ? (8 + alignment - 1) / alignment * alignment : 8;
    raw_tensor(&r, "a", GGUF_F32, 2, 0);
    raw_tensor(&r, "b", GGUF_F32, 2, second);
    raw_data(&r, alignment && alignment <= 1u << 21 ? (size_t)alignment : 32, 16);
    raw_bytes(&r, NULL, (size_t)second);
    enum gguf_status status = raw_try(r.data, r.size, 0, touch_model, NULL);
    raw_free(&r);
    return status;
}

static void alignments(void **state)
{
    (void)state;
    static const uint32_t wrong[] = {0,        3,        5,         24, 33, 48, (1u << 20) + 1,
                                     1u << 21, 1u << 31, UINT32_MAX};
    for (unsigned shift = 0; shift <= 20; shift++)
        assert_int_equal(open_aligned(GGUF_VALUE_U32, 1u << shift), GGUF_OK);
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        assert_int_equal(open_aligned(GGUF_VALUE_U32, wrong[i]), GGUF_ERR_CORRUPT);
    static const uint32_t types[] = {GGUF_VALUE_I32, GGUF_VALUE_U64, GGUF_VALUE_U8,
                                     GGUF_VALUE_F32};
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
        assert_int_equal(open_aligned(types[i], 32), GGUF_ERR_CORRUPT);
}

/* Three F32 tensors of 8 elements (32 bytes) at the given offsets, in 256 bytes of data. */
static enum gguf_status open_placed(uint64_t a, uint64_t b, uint64_t c)
{
    struct raw r = {0};
    raw_start(&r, 3, 3, 0);
    raw_tensor(&r, "a", GGUF_F32, 8, a);
    raw_tensor(&r, "b", GGUF_F32, 8, b);
    raw_tensor(&r, "c", GGUF_F32, 8, c);
    raw_data(&r, 32, 256);
    enum gguf_status status = raw_try(r.data, r.size, 0, touch_model, NULL);
    raw_free(&r);
    return status;
}

static void extents(void **state)
{
    (void)state;
    assert_int_equal(open_placed(0, 32, 64), GGUF_OK);
    assert_int_equal(open_placed(0, 64, 224), GGUF_OK);  /* gaps */
    assert_int_equal(open_placed(224, 0, 64), GGUF_OK);  /* any order */
    assert_int_equal(open_placed(96, 128, 32), GGUF_OK); /* nothing at 0 */
    assert_int_equal(open_placed(0, 32, 32), GGUF_ERR_CORRUPT);
    assert_int_equal(open_placed(64, 0, 64), GGUF_ERR_CORRUPT);
    assert_int_equal(open_placed(0, 33, 96), GGUF_ERR_CORRUPT); /* not aligned */
    assert_int_equal(open_placed(0, 32, 256), GGUF_ERR_TRUNCATED);
    assert_int_equal(open_placed(0, 32, 1ull << 62), GGUF_ERR_TRUNCATED);
    assert_int_equal(open_placed(0, 32, 1ull << 63), GGUF_ERR_CORRUPT);
    assert_int_equal(open_placed(0, 32, UINT64_MAX - 31), GGUF_ERR_CORRUPT);
}

/* A long tensor over a short one, neighbours or not in the order of offsets. */
static void overlaps(void **state)
{
    (void)state;
    struct raw r = {0};
    raw_start(&r, 3, 3, 0);
    raw_tensor(&r, "long", GGUF_F32, 32, 0);
    raw_tensor(&r, "empty", GGUF_F32, 0, 64);
    raw_tensor(&r, "short", GGUF_F32, 8, 96);
    raw_data(&r, 32, 128);
    assert_int_equal(raw_status(&r), GGUF_ERR_CORRUPT);
    raw_start(&r, 3, 2, 0);
    raw_tensor(&r, "long", GGUF_F32, 32, 0);
    raw_tensor(&r, "empty", GGUF_F32, 0, 64);
    raw_data(&r, 32, 128);
    assert_int_equal(raw_status(&r), GGUF_OK);
    raw_free(&r);
}

static enum gguf_status open_tensor_name(size_t size)
{
    char name[200];
    struct raw r = {0};
    memset(name, 'n', sizeof name);
    name[size] = '\0';
    raw_start(&r, 3, 1, 0);
    raw_tensor(&r, name, GGUF_F32, 8, 0);
    raw_data(&r, 32, 32);
    enum gguf_status status = raw_status(&r);
    raw_free(&r);
    return status;
}

static void tensor_names(void **state)
{
    (void)state;
    for (size_t size = 1; size <= GGUF_MAX_NAME; size++)
        assert_int_equal(open_tensor_name(size), GGUF_OK);
    assert_int_equal(open_tensor_name(0), GGUF_ERR_CORRUPT);
    assert_int_equal(open_tensor_name(GGUF_MAX_NAME + 1), GGUF_ERR_CORRUPT);
}

static void shapes(void **state)
{
    (void)state;
    static const struct {
        uint32_t n_dims;
        uint64_t ne[5];
        uint32_t type;
        enum gguf_status status;
    } cases[] = {
        {0, {0}, GGUF_F32, GGUF_OK},
        {4, {2, 1, 2, 2}, GGUF_F32, GGUF_OK},
        {4, {2, 0, 2, 2}, GGUF_F32, GGUF_OK},
        {5, {1, 1, 1, 1, 1}, GGUF_F32, GGUF_ERR_CORRUPT},
        {UINT32_MAX, {1, 1, 1, 1, 1}, GGUF_F32, GGUF_ERR_CORRUPT},
        {2, {32, 1}, GGUF_Q4_0, GGUF_OK},
        {2, {16, 2}, GGUF_Q4_0, GGUF_ERR_CORRUPT},
        {2, {1ull << 32, 1ull << 32}, GGUF_I8, GGUF_ERR_CORRUPT},
        {1, {1ull << 63}, GGUF_I8, GGUF_ERR_CORRUPT},
        {3, {1ull << 40, 1ull << 40, 0}, GGUF_I8, GGUF_ERR_CORRUPT},
        {2, {1ull << 31, 1ull << 31}, GGUF_F64, GGUF_ERR_CORRUPT},
        {1, {1ull << 40}, GGUF_I8, GGUF_ERR_TRUNCATED},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct raw r = {0};
        raw_start(&r, 3, 1, 0);
        raw_text(&r, "t");
        raw_uint(&r, cases[i].n_dims, 4);
        for (uint32_t d = 0; d < cases[i].n_dims && d < 5; d++)
            raw_uint(&r, cases[i].ne[d], 8);
        raw_uint(&r, cases[i].type, 4);
        raw_uint(&r, 0, 8);
        raw_data(&r, 32, 64);
        assert_int_equal(raw_try(r.data, r.size, 0, touch_model, NULL), cases[i].status);
        raw_free(&r);
    }
}

static void check_inspected(const struct gguf *model)
{
    const struct gguf_tensor *odd = gguf_tensor_find(model, "odd");
    assert_int_equal(gguf_problem_count(model), 1);
    assert_int_equal(gguf_problem_at(model, 0)->status, GGUF_ERR_UNSUPPORTED);
    assert_non_null(strstr(gguf_problem_at(model, 0)->message, "odd"));
    assert_null(gguf_problem_at(model, 1));
    assert_false(odd->readable);
    assert_int_equal(odd->bytes, 0);
    assert_null(gguf_tensor_map(model, odd));
    assert_int_equal(gguf_tensor_read(model, odd, 0, NULL, 0, NULL), GGUF_ERR_ARGUMENT);
    assert_true(gguf_tensor_find(model, "good")->readable);
}

static void types_without_size(void **state)
{
    (void)state;
    static const uint32_t types[] = {4, 5, 31, 36, 38, 137, 139, 200, 43, UINT32_MAX};
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        struct raw r = {0};
        raw_start(&r, 3, 2, 0);
        raw_tensor(&r, "odd", types[i], 256, 0);
        raw_tensor(&r, "good", GGUF_F32, 8, 0);
        raw_data(&r, 32, 32);
        assert_int_equal(raw_status(&r), GGUF_ERR_UNSUPPORTED);
        assert_int_equal(raw_try(r.data, r.size, GGUF_OPEN_INSPECT, check_inspected, NULL),
                         GGUF_OK);
        raw_free(&r);
    }
}

static void check_many_problems(const struct gguf *model)
{
    size_t kept = 0;
    while (gguf_problem_at(model, kept))
        kept++;
    assert_int_equal(gguf_problem_count(model), 100);
    assert_int_equal(kept, 64);
    assert_false(gguf_tensor_at(model, 99)->readable);
}

static void many_problems(void **state)
{
    (void)state;
    struct raw r = {0};
    raw_start(&r, 3, 100, 0);
    for (unsigned i = 0; i < 100; i++) {
        char name[16];
        snprintf(name, sizeof name, "t%u", i);
        raw_tensor(&r, name, GGUF_F32, 8, 32 * (i + 1));
    }
    raw_data(&r, 32, 32);
    assert_int_equal(raw_try(r.data, r.size, GGUF_OPEN_INSPECT, check_many_problems, NULL),
                     GGUF_OK);
    raw_free(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_prefix),
        cmocka_unit_test(every_flip),
        cmocka_unit_test(shrinks_while_open),
        cmocka_unit_test(versions_and_orders),
        cmocka_unit_test(big_endian_partial_blocks),
        cmocka_unit_test(nested_arrays),
        cmocka_unit_test(keys),
        cmocka_unit_test(duplicate_names),
        cmocka_unit_test(bools),
        cmocka_unit_test(value_types_that_do_not_exist),
        cmocka_unit_test(impossible_sizes),
        cmocka_unit_test(alignments),
        cmocka_unit_test(extents),
        cmocka_unit_test(overlaps),
        cmocka_unit_test(tensor_names),
        cmocka_unit_test(shapes),
        cmocka_unit_test(types_without_size),
        cmocka_unit_test(many_problems),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
