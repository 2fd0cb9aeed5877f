/* Typed readers of metadata: what each takes, what it refuses, and that a refusal leaves
 * the output untouched. */
#include "raw_gguf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

/* One scalar and what every reader makes of it. */
struct scalar {
    enum gguf_value_type type;
    uint64_t bits;
    bool u64, i64, f64, boolean;
    double number;
};

static const struct scalar scalars[] = {
    {GGUF_VALUE_U8, 0, true, true, true, false, 0},
    {GGUF_VALUE_U8, 255, true, true, true, false, 255},
    {GGUF_VALUE_I8, 127, true, true, true, false, 127},
    {GGUF_VALUE_I8, 0xff, false, true, true, false, -1},
    {GGUF_VALUE_I8, 0x80, false, true, true, false, -128},
    {GGUF_VALUE_U16, 0xffff, true, true, true, false, 65535},
    {GGUF_VALUE_I16, 0x8000, false, true, true, false, -32768},
    {GGUF_VALUE_U32, 0xffffffff, true, true, true, false, 4294967295.0},
    {GGUF_VALUE_I32, 0xffffffff, false, true, true, false, -1},
    {GGUF_VALUE_I32, 77, true, true, true, false, 77},
    {GGUF_VALUE_U64, 1ull << 62, true, true, true, false, 4611686018427387904.0},
    {GGUF_VALUE_U64, 1ull << 63, true, false, true, false, 9223372036854775808.0},
    {GGUF_VALUE_I64, 1ull << 63, false, true, true, false, -9223372036854775808.0},
    {GGUF_VALUE_I64, UINT64_MAX - 1, false, true, true, false, -2},
    {GGUF_VALUE_BOOL, 0, true, true, false, true, 0},
    {GGUF_VALUE_BOOL, 1, true, true, false, true, 1},
    {GGUF_VALUE_F32, 0x3fc00000, false, false, true, false, 1.5},
    {GGUF_VALUE_F64, 0xc004000000000000, false, false, true, false, -2.5},
};

static void check_scalar(struct gguf_value v, const struct scalar *s)
{
    uint64_t u = 4242;
    int64_t i = 4242;
    double f = 4242;
    bool b = s->number == 0; /* the opposite of what is read */
    struct gguf_str text = {"untouched", 9};
    assert_int_equal(gguf_value_u64(v, &u), s->u64);
    assert_true(s->u64 ? (double)u == s->number : u == 4242);
    assert_int_equal(gguf_value_i64(v, &i), s->i64);
    assert_true(s->i64 ? (double)i == s->number : i == 4242);
    assert_int_equal(gguf_value_f64(v, &f), s->f64);
    assert_true(s->f64 ? f == s->number : f == 4242);
    assert_int_equal(gguf_value_bool(v, &b), s->boolean);
    assert_int_equal(b, s->boolean ? s->number != 0 : s->number == 0);
    assert_false(gguf_value_string(v, &text));
    assert_int_equal(text.size, 9);
}

static void check_scalars(const struct gguf *model)
{
    for (size_t i = 0; i < sizeof scalars / sizeof scalars[0]; i++) {
        struct gguf_value v = gguf_kv_at(model, i)->value;
        assert_int_equal(v.type, scalars[i].type);
        assert_int_equal(v.item, scalars[i].type);
        assert_int_equal(v.count, 1);
        check_scalar(v, &scalars[i]);
        struct gguf_iter it = gguf_items(v); /* a scalar is an array of one */
        struct gguf_value item;
        assert_true(gguf_next(&it, &item));
        check_scalar(item, &scalars[i]);
        assert_false(gguf_next(&it, &item));
    }
}

static void every_scalar(void **state)
{
    (void)state;
    for (int big = 0; big < 2; big++) {
        struct raw r = {.big_endian = big};
        raw_start(&r, 3, 0, sizeof scalars / sizeof scalars[0]);
        for (size_t i = 0; i < sizeof scalars / sizeof scalars[0]; i++) {
            char key[16];
            snprintf(key, sizeof key, "k%zu", i);
            raw_key(&r, key, scalars[i].type);
            raw_uint(&r, scalars[i].bits, gguf_value_type_size(scalars[i].type));
        }
        assert_int_equal(raw_try(r.data, r.size, 0, check_scalars, NULL), GGUF_OK);
        raw_free(&r);
    }
}

static void check_exact(const struct gguf *model)
{
    uint64_t u = 0;
    int64_t i = 0;
    assert_true(gguf_get_u64(model, "max", &u) && u == UINT64_MAX);
    assert_false(gguf_get_i64(model, "max", &i));
    assert_true(gguf_get_i64(model, "min", &i) && i == INT64_MIN);
    assert_true(gguf_get_u64(model, "odd", &u) && u == (1ull << 53) + 1);
    assert_false(gguf_get_u64(model, "none", &u));
    assert_null(gguf_kv_find(model, ""));
    assert_null(gguf_kv_at(model, 3));
}

/* 64 bits do not pass through a double. */
static void exact_64_bits(void **state)
{
    (void)state;
    struct raw r = {0};
    raw_start(&r, 3, 0, 3);
    raw_key(&r, "max", GGUF_VALUE_U64);
    raw_uint(&r, UINT64_MAX, 8);
    raw_key(&r, "min", GGUF_VALUE_I64);
    raw_uint(&r, 1ull << 63, 8);
    raw_key(&r, "odd", GGUF_VALUE_I64);
    raw_uint(&r, (1ull << 53) + 1, 8);
    assert_int_equal(raw_try(r.data, r.size, 0, check_exact, NULL), GGUF_OK);
    raw_free(&r);
}

static void check_arrays(const struct gguf *model)
{
    struct gguf_value v;
    float f[3] = {7, 7, 7};
    assert_true(gguf_get_array(model, "floats", GGUF_VALUE_F32, &v));
    assert_int_equal(v.count, 2);
    assert_false(gguf_value_f32s(v, f, 1));
    assert_false(gguf_value_f32s(v, f, 3));
    assert_true(f[0] == 7 && f[1] == 7);
    assert_true(gguf_value_f32s(v, f, 2));
    assert_true(f[0] == 1.0f && f[1] == -2.0f && f[2] == 7);
    assert_false(gguf_get_array(model, "floats", GGUF_VALUE_I32, &v));
    assert_false(gguf_get_array(model, "none", GGUF_VALUE_F32, &v));
    assert_true(gguf_get_array(model, "numbers", GGUF_VALUE_I32, &v));
    assert_false(gguf_value_f32s(v, f, 2));
    uint64_t u = 5;
    assert_false(gguf_value_u64(v, &u));
    assert_true(gguf_get_array(model, "empty", GGUF_VALUE_STRING, &v) && v.count == 0);
    struct gguf_iter it = gguf_items(v);
    assert_false(gguf_next(&it, &v));
}

static void arrays(void **state)
{
    (void)state;
    for (uint32_t form = 0; form < 6; form++) {
        struct raw r = {.big_endian = form >= 3};
        raw_start(&r, form % 3 + 1, 0, 3);
        raw_key(&r, "floats", GGUF_VALUE_ARRAY);
        raw_array(&r, GGUF_VALUE_F32, 2);
        raw_uint(&r, 0x3f800000, 4);
        raw_uint(&r, 0xc0000000, 4);
        raw_key(&r, "numbers", GGUF_VALUE_ARRAY);
        raw_array(&r, GGUF_VALUE_I32, 2);
        raw_bytes(&r, NULL, 8);
        raw_key(&r, "empty", GGUF_VALUE_ARRAY);
        raw_array(&r, GGUF_VALUE_STRING, 0);
        assert_int_equal(raw_try(r.data, r.size, 0, check_arrays, NULL), GGUF_OK);
        raw_free(&r);
    }
}

static void check_nested(const struct gguf *model)
{
    struct gguf_value outer, inner, item;
    struct gguf_str s;
    assert_true(gguf_get_array(model, "nested", GGUF_VALUE_ARRAY, &outer));
    struct gguf_iter it = gguf_items(outer);
    assert_true(gguf_next(&it, &inner));
    assert_int_equal(inner.item, GGUF_VALUE_STRING);
    struct gguf_iter in = gguf_items(inner);
    assert_true(gguf_next(&in, &item) && gguf_value_string(item, &s));
    assert_true(gguf_str_equal(s, "one"));
    assert_true(gguf_next(&in, &item) && gguf_value_string(item, &s) && s.size == 0);
    assert_false(gguf_next(&in, &item));
    assert_true(gguf_next(&it, &inner) && inner.item == GGUF_VALUE_U16 && inner.count == 3);
    in = gguf_items(inner);
    for (uint64_t n = 0, u = 0; gguf_next(&in, &item); n++)
        assert_true(gguf_value_u64(item, &u) && u == 0x100 + n);
    assert_false(gguf_next(&it, &inner));
    assert_int_equal(it.position, outer.size);
}

static void nested(void **state)
{
    (void)state;
    for (uint32_t form = 0; form < 6; form++) {
        struct raw r = {.big_endian = form >= 3};
        raw_start(&r, form % 3 + 1, 0, 1);
        raw_key(&r, "nested", GGUF_VALUE_ARRAY);
        raw_array(&r, GGUF_VALUE_ARRAY, 2);
        raw_array(&r, GGUF_VALUE_STRING, 2);
        raw_text(&r, "one");
        raw_text(&r, "");
        raw_array(&r, GGUF_VALUE_U16, 3);
        for (uint64_t n = 0; n < 3; n++)
            raw_uint(&r, 0x100 + n, 2);
        assert_int_equal(raw_try(r.data, r.size, 0, check_nested, NULL), GGUF_OK);
        raw_free(&r);
    }
}

static void type_names(void **state)
{
    (void)state;
    static const size_t sizes[] = {1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8};
    for (unsigned i = 0; i <= GGUF_VALUE_F64; i++) {
        enum gguf_value_type type = GGUF_VALUE_U8;
        const char *name = gguf_value_type_name((enum gguf_value_type)i);
        assert_true(gguf_value_type_by_name(name, &type) && type == (enum gguf_value_type)i);
        assert_int_equal(gguf_value_type_size(type), sizes[i]);
    }
    enum gguf_value_type type = GGUF_VALUE_F32;
    assert_null(gguf_value_type_name((enum gguf_value_type)13));
    assert_int_equal(gguf_value_type_size((enum gguf_value_type)99), 0);
    assert_false(gguf_value_type_by_name("u24", &type));
    assert_int_equal(type, GGUF_VALUE_F32);
}

static void check_architecture(const struct gguf *model)
{
    uint64_t n = 0;
    assert_true(gguf_get_arch_u64(model, "block_count", &n) && n == 6);
    assert_non_null(gguf_kv_find_arch(model, "block_count"));
    assert_null(gguf_kv_find_arch(model, "none"));
    char longer[400];
    memset(longer, 'x', sizeof longer);
    longer[399] = '\0';
    assert_null(gguf_kv_find_arch(model, longer));
}

static void check_no_architecture(const struct gguf *model)
{
    uint64_t n = 0;
    assert_int_equal(gguf_architecture(model).size, 0);
    assert_null(gguf_kv_find_arch(model, "block_count"));
    assert_false(gguf_get_arch_u64(model, "block_count", &n));
}

static void by_architecture(void **state)
{
    (void)state;
    struct raw r = {0};
    raw_start(&r, 3, 0, 2);
    raw_key(&r, "general.architecture", GGUF_VALUE_STRING);
    raw_text(&r, "gpt2");
    raw_u32(&r, "gpt2.block_count", 6);
    assert_int_equal(raw_try(r.data, r.size, 0, check_architecture, NULL), GGUF_OK);
    raw_start(&r, 3, 0, 2);
    raw_u32(&r, "general.architecture", 1);
    raw_u32(&r, ".block_count", 6);
    assert_int_equal(raw_try(r.data, r.size, 0, check_no_architecture, NULL), GGUF_OK);
    raw_free(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_scalar), cmocka_unit_test(exact_64_bits),
        cmocka_unit_test(arrays),       cmocka_unit_test(nested),
        cmocka_unit_test(type_names),   cmocka_unit_test(by_architecture),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
