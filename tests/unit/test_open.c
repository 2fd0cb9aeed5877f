/* Opening: what is a valid file, what is not, and what is said of it. */
#include "raw_gguf.h"

#include <cjson/cJSON.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

#define FIXTURE "fixtures/shakespeare-f16.gguf"
#define CORPUS  "../shared/corpus/gguf"

/* ---- Helpers ------------------------------------------------------------------------ */

static uint64_t touch_value(struct gguf_value value)
{
    uint64_t sum = value.size && value.data ? value.data[value.size - 1] : 0;
    struct gguf_iter it = gguf_items(value);
    for (struct gguf_value item; gguf_next(&it, &item);)
        sum += item.type == GGUF_VALUE_ARRAY ? touch_value(item)
               : item.size                   ? item.data[0] + item.data[item.size - 1]
                                             : 0;
    return sum;
}

/* Reads every byte that an open model promises. */
static void touch_model(const struct gguf *model)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < gguf_kv_count(model); i++)
        sum += touch_value(gguf_kv_at(model, i)->value);
    for (size_t i = 0; i < gguf_tensor_count(model); i++) {
        const struct gguf_tensor *t = gguf_tensor_at(model, i);
        if (!t->readable)
            continue;
        unsigned char *bytes = malloc(t->bytes ? t->bytes : 1);
        assert_non_null(bytes);
        assert_int_equal(gguf_tensor_read(model, t, 0, bytes, t->bytes, NULL), GGUF_OK);
        sum += t->bytes ? bytes[t->bytes - 1] : 0;
        free(bytes);
    }
    assert_true(sum + 1 != 0 || gguf_kv_count(model) == 0);
}

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

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
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

/* ---- Files that are something else --------------------------------------------------------
 */

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

/* ---- Time --------------------------------------------------------------------------------
 */

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

/* ---- Real files ---------------------------------------------------------------------------
 */

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
        cmocka_unit_test(other_files),
        cmocka_unit_test(no_regular_files),
        cmocka_unit_test(many_keys),
        cmocka_unit_test(many_tensors),
        cmocka_unit_test(many_strings),
        cmocka_unit_test(fixture),
        cmocka_unit_test(corpus_verdicts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
