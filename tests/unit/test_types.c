/* The type table against the sizes of the format, and the checked arithmetic. */
#include "libgguf/checked.h"
#include "libgguf/gguf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

static void sizes_of_one_row(void **state)
{
    (void)state;
    static const struct {
        uint32_t type;
        uint64_t bytes; /* of 1024 elements */
    } rows[] = {
        {GGUF_F32, 4096},    {GGUF_F16, 2048},    {GGUF_BF16, 2048},  {GGUF_Q4_0, 576},
        {GGUF_Q4_1, 640},    {GGUF_Q5_0, 704},    {GGUF_Q5_1, 768},   {GGUF_Q8_0, 1088},
        {GGUF_Q2_K, 336},    {GGUF_Q3_K, 440},    {GGUF_Q4_K, 576},   {GGUF_Q5_K, 704},
        {GGUF_Q6_K, 840},    {GGUF_IQ2_XXS, 264}, {GGUF_IQ2_XS, 296}, {GGUF_IQ2_S, 328},
        {GGUF_IQ3_XXS, 392}, {GGUF_IQ3_S, 440},   {GGUF_IQ1_S, 200},  {GGUF_IQ1_M, 224},
        {GGUF_IQ4_NL, 576},  {GGUF_IQ4_XS, 544},  {GGUF_TQ1_0, 216},  {GGUF_TQ2_0, 264},
        {GGUF_MXFP4, 544},   {GGUF_NVFP4, 576},   {GGUF_Q1_0, 144},   {GGUF_Q2_0, 288},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint64_t bytes = 0;
        assert_true(gguf_type_bytes(rows[i].type, 1024, &bytes));
        assert_int_equal(bytes, rows[i].bytes);
    }
}

static void sizes_that_do_not_exist(void **state)
{
    (void)state;
    uint64_t bytes = 77;
    assert_false(gguf_type_bytes(GGUF_Q4_0, 33, &bytes));
    assert_false(gguf_type_bytes(31, 32, &bytes));
    assert_false(gguf_type_bytes(255, 32, &bytes));
    assert_false(gguf_type_bytes(GGUF_F64, UINT64_MAX / 4, &bytes));
    assert_int_equal(bytes, 77);
}

static void ids_and_names(void **state)
{
    (void)state;
    for (size_t i = 0; gguf_type_at(i); i++) {
        const struct gguf_type_info *info = gguf_type_at(i);
        assert_ptr_equal(gguf_type_find(info->id), info);
        if (info->origin == GGUF_TYPE_CURRENT)
            assert_ptr_equal(gguf_type_by_name(info->name), info);
        for (size_t f = 0; f < 2 && info->fields[f].width; f++) {
            const struct gguf_field *field = &info->fields[f];
            assert_true(field->offset + field->width * field->count <= info->block_bytes);
        }
    }
    assert_null(gguf_type_find(200));
    assert_null(gguf_type_by_name("Q4_0_4_4"));
    assert_int_equal(gguf_type_by_name("q4_k")->id, GGUF_Q4_K);
}

static void swapping_twice_is_identity(void **state)
{
    (void)state;
    unsigned char block[292], copy[292];
    for (size_t i = 0; gguf_type_at(i); i++) {
        const struct gguf_type_info *info = gguf_type_at(i);
        for (size_t j = 0; j < sizeof block; j++)
            block[j] = copy[j] = (unsigned char)(j * 7 + 1);
        gguf_type_swap(info->id, block, info->block_bytes);
        if (info->fields[0].width)
            assert_memory_not_equal(block, copy, sizeof block);
        gguf_type_swap(info->id, block, info->block_bytes);
        assert_memory_equal(block, copy, sizeof block);
    }
}

static void arithmetic_overflow(void **state)
{
    (void)state;
    uint64_t r = 5;
    assert_false(checked_mul(1ull << 33, 1ull << 31, &r));
    assert_false(checked_add(INT64_MAX, 1, &r));
    assert_false(checked_align((uint64_t)INT64_MAX - 3, 32, &r));
    assert_int_equal(r, 5);
    assert_true(checked_align(33, 32, &r));
    assert_int_equal(r, 64);
    assert_true(checked_mul(UINT64_MAX, 0, &r));
    assert_int_equal(r, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sizes_of_one_row),    cmocka_unit_test(sizes_that_do_not_exist),
        cmocka_unit_test(ids_and_names),       cmocka_unit_test(swapping_twice_is_identity),
        cmocka_unit_test(arithmetic_overflow),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
