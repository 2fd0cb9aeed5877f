/* JSON output: see json.h. */
#include "tools/common/json.h"
#include "libgguf/utf8.h"
#include "tools/common/cli.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static cJSON *need(cJSON *item)
{
    if (!item)
        cli_die_memory();
    return item;
}

cJSON *json_object(void)
{
    return need(cJSON_CreateObject());
}
cJSON *json_array(void)
{
    return need(cJSON_CreateArray());
}

static void json_add(cJSON *parent, const char *key, cJSON *item)
{
    bool added =
        key ? cJSON_AddItemToObject(parent, key, item) : cJSON_AddItemToArray(parent, item);
    if (!added)
        cli_die_memory();
}

cJSON *json_add_object(cJSON *parent, const char *key)
{
    cJSON *item = json_object();
    json_add(parent, key, item);
    return item;
}

cJSON *json_add_array(cJSON *parent, const char *key)
{
    cJSON *item = json_array();
    json_add(parent, key, item);
    return item;
}

/* Numbers go in as text: a double would round integers above 2^53. */
static void add_raw(cJSON *parent, const char *key, const char *text)
{
    json_add(parent, key, need(cJSON_CreateRaw(text)));
}

void json_u64(cJSON *parent, const char *key, uint64_t value)
{
    char text[32];
    snprintf(text, sizeof text, "%llu", (unsigned long long)value);
    add_raw(parent, key, text);
}

void json_i64(cJSON *parent, const char *key, int64_t value)
{
    char text[32];
    snprintf(text, sizeof text, "%lld", (long long)value);
    add_raw(parent, key, text);
}

void json_f64(cJSON *parent, const char *key, double value)
{
    char text[40];
    if (isnan(value)) {
        json_text(parent, key, "NaN");
        return;
    }
    if (isinf(value)) {
        json_text(parent, key, value > 0 ? "Infinity" : "-Infinity");
        return;
    }
    for (int digits = 6; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, value);
        if (strtod(text, NULL) == value)
            break;
    }
    add_raw(parent, key, text);
}

void json_bool(cJSON *parent, const char *key, bool value)
{
    json_add(parent, key, need(cJSON_CreateBool(value)));
}

void json_null(cJSON *parent, const char *key)
{
    json_add(parent, key, need(cJSON_CreateNull()));
}

/* ---- Strings --------------------------------------------------------------------------- */

static char *put_unicode(char *out, unsigned code)
{
    return out + snprintf(out, 7, "\\u%04x", code);
}

/* One code point of valid UTF-8, escaped where a terminal or a parser would stumble.
 * Returns its length in the input. */
static size_t put_code_point(char **out, const unsigned char *p)
{
    size_t n = gguf_utf8_length(p[0]);
    uint32_t code = 0;
    if (p[0] == '"' || p[0] == '\\') {
        *(*out)++ = '\\';
        *(*out)++ = (char)p[0];
    } else if (gguf_utf8_decode(p, n, &code) && gguf_utf8_is_unsafe(code)) {
        *out = put_unicode(*out, code);
    } else {
        memcpy(*out, p, n);
        *out += n;
    }
    return n;
}

static bool is_valid_utf8(struct gguf_str s)
{
    const unsigned char *p = (const unsigned char *)s.data;
    uint32_t code;
    for (size_t i = 0, n; i < s.size; i += n) {
        n = gguf_utf8_decode(p + i, s.size - i, &code);
        if (n == 0)
            return false;
    }
    return true;
}

static void add_bytes(cJSON *parent, const char *key, struct gguf_str s)
{
    char *hex = cli_alloc(s.size * 2 + 1, 1);
    for (size_t i = 0; i < s.size; i++)
        snprintf(hex + 2 * i, 3, "%02x", (unsigned char)s.data[i]);
    json_text(json_add_object(parent, key), "bytes", hex);
    free(hex);
}

void json_str(cJSON *parent, const char *key, struct gguf_str s)
{
    if (s.size > SIZE_MAX / 8)
        cli_die_memory();
    if (!is_valid_utf8(s)) {
        add_bytes(parent, key, s);
        return;
    }
    /* at most six bytes of output for one of input, two quotes and the terminator */
    char *text = cli_alloc(s.size * 6 + 8, 1);
    char *out = text;
    *out++ = '"';
    for (size_t i = 0; i < s.size;)
        i += put_code_point(&out, (const unsigned char *)s.data + i);
    *out++ = '"';
    *out = '\0';
    add_raw(parent, key, text);
    free(text);
}

void json_text(cJSON *parent, const char *key, const char *text)
{
    json_str(parent, key, (struct gguf_str){text, strlen(text)});
}

/* ---- Metadata values --------------------------------------------------------------------- */

static void add_array(cJSON *parent, const char *key, struct gguf_value value)
{
    cJSON *array = json_add_array(parent, key);
    struct gguf_iter it = gguf_items(value);
    for (struct gguf_value item; gguf_next(&it, &item);)
        json_value(array, NULL, item);
}

void json_value(cJSON *parent, const char *key, struct gguf_value value)
{
    uint64_t u;
    int64_t i;
    double f;
    bool b;
    struct gguf_str s;
    if (value.type == GGUF_VALUE_ARRAY)
        add_array(parent, key, value);
    else if (gguf_value_string(value, &s))
        json_str(parent, key, s);
    else if (gguf_value_bool(value, &b))
        json_bool(parent, key, b);
    else if (gguf_value_u64(value, &u))
        json_u64(parent, key, u);
    else if (gguf_value_i64(value, &i))
        json_i64(parent, key, i);
    else if (gguf_value_f64(value, &f))
        json_f64(parent, key, f);
    else
        json_null(parent, key);
}

void json_print(cJSON *root)
{
    char *text = cJSON_Print(root);
    if (!text)
        cli_die_memory();
    fputs(text, stdout);
    fputc('\n', stdout);
    free(text);
    cJSON_Delete(root);
}
