/* Text of a file made fit for a terminal, and messages. */
#include "raw_gguf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void escapes(void **state)
{
    (void)state;
    static const struct {
        const char *in;
        size_t size;
        const char *out;
    } cases[] = {
        {"", 0, ""},
        {"plain text", 10, "plain text"},
        {"a\nb\tc\rd", 7, "a\\nb\\tc\\rd"},
        {"a\0b", 3, "a\\x00b"},
        {"\x1b[31m", 5, "\\x1B[31m"},
        {"\x7f", 1, "\\x7F"},
        {"\xc2\x9b", 2, "\\u{009B}"},                    /* C1: CSI */
        {"\xe2\x80\xae", 3, "\\u{202E}"},                /* right-to-left override */
        {"\xef\xbb\xbf", 3, "\\u{FEFF}"},                /* byte order mark */
        {"gr\xc3\xbc\xc3\x9f", 6, "gr\xc3\xbc\xc3\x9f"}, /* as it is */
        {"\xf0\x9f\x99\x82", 4, "\xf0\x9f\x99\x82"},     /* four bytes */
        {"\xf0\x9f\x99", 3, "\\xF0\\x9F\\x99"},          /* cut short */
        {"\xc0\xaf", 2, "\\xC0\\xAF"},                   /* overlong */
        {"\xed\xa0\x80", 3, "\\xED\\xA0\\x80"},          /* surrogate */
        {"\xf4\x90\x80\x80", 4, "\\xF4\\x90\\x80\\x80"}, /* past U+10FFFF */
        {"\xff\x80", 2, "\\xFF\\x80"},
        {"C:\\x", 4, "C:\\x"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char out[64];
        struct gguf_str in = {cases[i].in, cases[i].size};
        assert_int_equal(gguf_str_escape(out, sizeof out, in), strlen(cases[i].out));
        assert_string_equal(out, cases[i].out);
    }
}

/* Whatever the room, the result is terminated, fits, and is no broken sequence. */
static void every_room(void **state)
{
    (void)state;
    static const char text[] = "ab\x1b\xc3\xbc\xf0\x9f\x99\x82\xe2\x80\xae tail";
    struct gguf_str in = {text, sizeof text - 1};
    char whole[64], out[64];
    size_t full = gguf_str_escape(whole, sizeof whole, in);
    for (size_t room = 1; room < sizeof out; room++) {
        memset(out, '#', sizeof out);
        size_t n = gguf_str_escape(out, room, in);
        assert_true(n < room);
        assert_int_equal(n, strlen(out));
        assert_int_equal(out[room], '#');
        if (room > full)
            assert_string_equal(out, whole);
        else if (room >= 4)
            assert_string_equal(out + n - 3, "...");
        for (size_t i = 0; room >= 4 && room <= full && i < n - 3; i++)
            assert_int_equal(out[i], whole[i]);
        char again[128]; /* valid UTF-8 stays as it is */
        gguf_str_escape(again, sizeof again, (struct gguf_str){out, n});
        assert_string_equal(again, out);
    }
    char untouched = '#';
    assert_int_equal(gguf_str_escape(&untouched, 0, in), 0);
    assert_int_equal(untouched, '#');
}

static void equality(void **state)
{
    (void)state;
    assert_true(gguf_str_equal((struct gguf_str){"abc", 3}, "abc"));
    assert_false(gguf_str_equal((struct gguf_str){"abc", 2}, "abc"));
    assert_false(gguf_str_equal((struct gguf_str){"a\0c", 3}, "a"));
    assert_true(gguf_str_equal((struct gguf_str){"", 0}, ""));
}

static void order(void **state)
{
    static const struct gguf_str sorted[] = {{NULL, 0}, {"\0", 1}, {"a", 1}, {"a\0c", 3},
                                             {"aB", 2}, {"ab", 2}, {"b", 1}, {"\xff", 1}};
    (void)state;
    for (size_t i = 0; i < sizeof sorted / sizeof sorted[0]; i++)
        for (size_t k = 0; k < sizeof sorted / sizeof sorted[0]; k++) {
            int found = gguf_str_compare(sorted[i], sorted[k]);
            assert_int_equal((found > 0) - (found < 0), (i > k) - (i < k));
        }
    assert_int_equal(gguf_str_compare((struct gguf_str){"", 0}, sorted[0]), 0);
}

static void status_names(void **state)
{
    (void)state;
    for (int i = 0; i <= GGUF_ERR_CANCELLED; i++) {
        assert_true(strlen(gguf_status_name((enum gguf_status)i)) > 0);
        for (int k = 0; k < i; k++)
            assert_string_not_equal(gguf_status_name((enum gguf_status)i),
                                    gguf_status_name((enum gguf_status)k));
    }
    assert_string_equal(gguf_status_name((enum gguf_status)99), "unknown status");
    assert_string_equal(gguf_status_name((enum gguf_status) - 1), "unknown status");
}

/* A hostile key does not reach the message raw, and a long one is cut. */
static void messages(void **state)
{
    (void)state;
    struct raw r = {0};
    struct gguf_error err;
    char key[3001];
    for (size_t i = 0; i < 3000; i++)
        key[i] = (char)("\x1b]\n\x7f\xff"
                        "a\xc2\x9b"[i % 8]);
    key[3000] = '\0';
    raw_start(&r, 3, 0, 1);
    raw_key(&r, key, 77);
    raw_bytes(&r, NULL, 16);
    assert_int_equal(raw_try(r.data, r.size, 0, NULL, &err), GGUF_ERR_CORRUPT);
    assert_int_equal(err.status, GGUF_ERR_CORRUPT);
    size_t n = strlen(err.message);
    assert_in_range(n, 20, sizeof err.message - 1);
    for (size_t i = 0; i < n; i++)
        assert_in_range((unsigned char)err.message[i], 0x20, 0x7e);
    assert_non_null(strstr(err.message, "77"));
    raw_free(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(escapes), cmocka_unit_test(every_room),   cmocka_unit_test(equality),
        cmocka_unit_test(order),   cmocka_unit_test(status_names), cmocka_unit_test(messages),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
