/* Units, bars and JSON of tools/common. */
#include "tools/common/cli.h"
#include "tools/common/json.h"
#include "tools/common/term.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define STR(literal) ((struct gguf_str){literal, sizeof literal - 1})

static void sizes_in_binary_units(void **state)
{
    (void)state;
    assert_string_equal(term_bytes(0).text, "0 B");
    assert_string_equal(term_bytes(1023).text, "1023 B");
    assert_string_equal(term_bytes(1024).text, "1.00 KiB");
    assert_string_equal(term_bytes(10240).text, "10.0 KiB");
    assert_string_equal(term_bytes((1u << 20) - 1).text, "1.00 MiB");
    assert_string_equal(term_bytes(4069519424).text, "3.79 GiB");
    assert_string_equal(term_bytes(UINT64_MAX).text, "16.0 EiB");
    assert_string_equal(term_bytes_exact(2048).text, "2.00 KiB (2,048 bytes)");
    assert_string_equal(term_bytes_exact(UINT64_MAX).text,
                        "16.0 EiB (18,446,744,073,709,551,615 bytes)");
}

static void counts_in_decimal_units(void **state)
{
    (void)state;
    assert_string_equal(term_count(12).text, "12");
    assert_string_equal(term_count(999).text, "999");
    assert_string_equal(term_count(999999).text, "1.00M");
    assert_string_equal(term_count(7241732096).text, "7.24B");
    assert_string_equal(term_count(70553706496).text, "70.6B");
    assert_string_equal(term_grouped(7).text, "7");
    assert_string_equal(term_grouped(1234567).text, "1,234,567");
    assert_string_equal(term_grouped(123456).text, "123,456");
}

static void bars_fill_their_width(void **state)
{
    (void)state;
    char bar[64];
    term_bar(bar, sizeof bar, 0, 4);
    assert_string_equal(bar, "    ");
    term_bar(bar, sizeof bar, 1, 2);
    assert_string_equal(bar, "██");
    term_bar(bar, sizeof bar, 0.5, 1);
    assert_string_equal(bar, "▌");
    term_bar(bar, sizeof bar, NAN, 2);
    assert_string_equal(bar, "  ");
    term_bar(bar, 8, 1, 20);
    assert_true(strlen(bar) < 8);
}

/* The JSON of one string under the key "s". */
static void check_json(struct gguf_str s, const char *expected)
{
    cJSON *root = json_object();
    json_str(root, "s", s);
    char *text = cJSON_PrintUnformatted(root);
    assert_string_equal(text, expected);
    cJSON *parsed = cJSON_Parse(text);
    assert_non_null(parsed);
    cJSON_Delete(parsed);
    free(text);
    cJSON_Delete(root);
}

static void strings_with_any_content(void **state)
{
    (void)state;
    check_json(STR("plain"), "{\"s\":\"plain\"}");
    check_json(STR(""), "{\"s\":\"\"}");
    check_json(STR("a\"b\\c/"), "{\"s\":\"a\\\"b\\\\c/\"}");
    check_json(STR("nul\0esc\033del\177"), "{\"s\":\"nul\\u0000esc\\u001bdel\\u007f\"}");
    check_json(STR("c1\xc2\x9b bidi\xe2\x80\xae"), "{\"s\":\"c1\\u009b bidi\\u202e\"}");
    check_json(STR("é€😀"), "{\"s\":\"é€😀\"}");
    check_json(STR("bad\xff"), "{\"s\":{\"bytes\":\"626164ff\"}}");
    check_json(STR("\xed\xa0\x80"), "{\"s\":{\"bytes\":\"eda080\"}}");
}

static void numbers_stay_exact(void **state)
{
    (void)state;
    cJSON *root = json_array();
    json_u64(root, NULL, UINT64_MAX);
    json_i64(root, NULL, INT64_MIN);
    json_f64(root, NULL, 0.1);
    json_f64(root, NULL, 1.0 / 3);
    json_f64(root, NULL, NAN);
    json_f64(root, NULL, -INFINITY);
    json_f64(root, NULL, -0.0);
    char *text = cJSON_PrintUnformatted(root);
    assert_string_equal(text,
                        "[18446744073709551615,-9223372036854775808,0.1,0.3333333333333333,"
                        "\"NaN\",\"-Infinity\",-0]");
    free(text);
    cJSON_Delete(root);
}

static void sizes_of_options(void **state)
{
    (void)state;
    assert_int_equal(cli_parse_bytes("x", "123"), 123);
    assert_int_equal(cli_parse_bytes("x", "500M"), 500000000);
    assert_int_equal(cli_parse_bytes("x", "2G"), 2000000000);
    assert_int_equal(cli_parse_bytes("x", "2GiB"), 2147483648);
    assert_int_equal(cli_parse_u64("x", "7", 1, 9), 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sizes_in_binary_units), cmocka_unit_test(counts_in_decimal_units),
        cmocka_unit_test(bars_fill_their_width), cmocka_unit_test(strings_with_any_content),
        cmocka_unit_test(numbers_stay_exact),    cmocka_unit_test(sizes_of_options),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
