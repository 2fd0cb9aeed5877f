/* The small floating-point formats against their definitions in double. */
#include "quant/fp.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

static float next_up(float f)
{
    return nextafterf(f, INFINITY);
}

/* ---- Half precision ------------------------------------------------------------------- */

/* By the definition: sign, five bits of exponent (bias 15), ten of mantissa. */
static double half_value(unsigned h)
{
    int exponent = (int)(h >> 10 & 0x1f), mantissa = (int)(h & 0x3ff);
    double magnitude =
        exponent == 0 ? ldexp(mantissa, -24) : ldexp(1024 + mantissa, exponent - 25);
    return h & 0x8000 ? -magnitude : magnitude;
}

static void halves_have_their_values(void **state)
{
    (void)state;
    for (unsigned h = 0; h < 0x10000; h++) {
        float f = fp16_to_float((uint16_t)h);
        if ((h & 0x7c00) != 0x7c00) {
            assert_true((double)f == half_value(h));
            assert_int_equal(signbit(f) != 0, h >> 15);
        } else if (h & 0x3ff) {
            assert_true(isnan(f));
        } else {
            assert_true(f == (h & 0x8000 ? -INFINITY : INFINITY));
        }
    }
}

static void halves_round_trip(void **state)
{
    (void)state;
    for (unsigned h = 0; h < 0x10000; h++) {
        uint16_t back = fp16_from_float(fp16_to_float((uint16_t)h));
        if ((h & 0x7c00) == 0x7c00 && (h & 0x3ff)) { /* NaN: the payload may differ */
            assert_true((back & 0x7c00) == 0x7c00 && (back & 0x3ff));
            assert_int_equal(back & 0x8000, h & 0x8000);
        } else {
            assert_int_equal(back, h);
        }
    }
}

/* Between every two neighbours: halfway goes to the even one, all else to the nearer. */
static void halves_round_to_nearest_even(void **state)
{
    (void)state;
    for (unsigned h = 0; h < 0x7bff; h++) {
        float halfway = (float)((half_value(h) + half_value(h + 1)) / 2);
        unsigned even = h + (h & 1);
        assert_int_equal(fp16_from_float(halfway), even);
        assert_int_equal(fp16_from_float(-halfway), even | 0x8000);
        assert_int_equal(fp16_from_float(nextafterf(halfway, 0)), h);
        assert_int_equal(fp16_from_float(next_up(halfway)), h + 1);
    }
}

static void halves_overflow_and_underflow(void **state)
{
    (void)state;
    assert_int_equal(fp16_from_float(65504.0f), 0x7bff);
    assert_int_equal(fp16_from_float(nextafterf(65520.0f, 0)), 0x7bff);
    assert_int_equal(fp16_from_float(65520.0f), 0x7c00);
    assert_int_equal(fp16_from_float(-3e38f), 0xfc00);
    assert_int_equal(fp16_from_float(INFINITY), 0x7c00);
    assert_int_equal(fp16_from_float(0x1p-25f), 0);
    assert_int_equal(fp16_from_float(next_up(0x1p-25f)), 1);
    assert_int_equal(fp16_from_float(1e-45f), 0);
    assert_int_equal(fp16_from_float(-0.0f), 0x8000);
    assert_true(isnan(fp16_to_float(fp16_from_float(fp_from_bits(0xff800001u)))));
}

/* ---- bfloat16 ------------------------------------------------------------------------- */

static void bf16_is_the_upper_half_of_a_float(void **state)
{
    (void)state;
    for (unsigned h = 0; h < 0x10000; h++) {
        float f = bf16_to_float((uint16_t)h);
        assert_int_equal(fp_to_bits(f), (uint32_t)h << 16);
        if (isnan(f))
            assert_true(isnan(bf16_to_float(bf16_from_float(f))));
        else
            assert_int_equal(bf16_from_float(f), h);
    }
}

static void bf16_rounds_to_nearest_even(void **state)
{
    (void)state;
    for (unsigned h = 0; h < 0x10000; h++) {
        if ((h & 0x7f80) == 0x7f80)
            continue;
        uint32_t halfway = (uint32_t)h << 16 | 0x8000;
        assert_int_equal(bf16_from_float(fp_from_bits(halfway)), h + (h & 1));
        assert_int_equal(bf16_from_float(fp_from_bits(halfway - 1)), h);
        assert_int_equal(bf16_from_float(fp_from_bits(halfway + 1)), h + 1);
    }
    /* NaN whose payload lies in the lower half only must not become infinity. */
    assert_true(isnan(bf16_to_float(bf16_from_float(fp_from_bits(0x7f800001u)))));
    assert_true(isnan(bf16_to_float(bf16_from_float(fp_from_bits(0xffffffffu)))));
}

/* ---- Scales of eight bits ------------------------------------------------------------- */

static void e8m0_is_a_power_of_two(void **state)
{
    (void)state;
    for (int e = 0; e < 256; e++)
        assert_true((double)e8m0_half_to_float((uint8_t)e) == ldexp(1, e - 128));
}

static void ue4m3_is_a_small_float(void **state)
{
    (void)state;
    for (int d = 0; d < 256; d++) {
        int exponent = d >> 3 & 0xf, mantissa = d & 7;
        double value = exponent == 0 ? ldexp(mantissa, -9) : ldexp(8 + mantissa, exponent - 10);
        double expected = d == 0x7f ? 0 : value / 2;
        assert_true((double)ue4m3_half_to_float((uint8_t)d) == expected);
    }
    assert_true(ue4m3_half_to_float(0x7e) == 224); /* half of 448, the largest */
    assert_true(ue4m3_half_to_float(0x38) == 0.5f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(halves_have_their_values),
        cmocka_unit_test(halves_round_trip),
        cmocka_unit_test(halves_round_to_nearest_even),
        cmocka_unit_test(halves_overflow_and_underflow),
        cmocka_unit_test(bf16_is_the_upper_half_of_a_float),
        cmocka_unit_test(bf16_rounds_to_nearest_even),
        cmocka_unit_test(e8m0_is_a_power_of_two),
        cmocka_unit_test(ue4m3_is_a_small_float),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
