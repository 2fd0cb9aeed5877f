/* --metadata: keys, types and values. */
#include "tools/gguf-info/info.h"

#define WIDEST_KEY 48 /* cells; longer keys push their value to the right */

/* Printed form of a key. Without --full a key of thousands of bytes is cut. */
#define KEY_LIMIT 160

static int code_points(const char *text)
{
    int n = 0;
    for (; *text; text++)
        n += ((unsigned char)*text & 0xc0) != 0x80;
    return n;
}

static int key_width(struct gguf_str key)
{
    char text[KEY_LIMIT + 1];
    gguf_str_escape(text, sizeof text, key);
    return code_points(text);
}

struct widths {
    int key, type;
};

static struct widths measure(const struct info *info)
{
    struct widths w = {0, 0};
    for (size_t i = 0; i < gguf_kv_count(info->model); i++) {
        const struct gguf_kv *kv = gguf_kv_at(info->model, i);
        if (!filter_match(info->request->keys, kv->key))
            continue;
        int key = key_width(kv->key);
        int type = code_points(text_value_type(kv->value).text);
        if (key > w.key && key <= WIDEST_KEY)
            w.key = key;
        if (type > w.type)
            w.type = type;
    }
    return w;
}

static void print_kv(const struct gguf_kv *kv, struct widths w, bool full)
{
    term_print_str(stdout, kv->key, full ? 0 : KEY_LIMIT);
    int fill = w.key - key_width(kv->key);
    printf("%*s  %-*s  ", fill > 0 ? fill : 0, "", w.type, text_value_type(kv->value).text);
    text_value(stdout, kv->value, full);
    putchar('\n');
}

void metadata_print(struct info *info)
{
    struct widths w = measure(info);
    for (size_t i = 0; i < gguf_kv_count(info->model); i++) {
        const struct gguf_kv *kv = gguf_kv_at(info->model, i);
        if (filter_match(info->request->keys, kv->key))
            print_kv(kv, w, info->request->full);
    }
}

void metadata_json(struct info *info, cJSON *json)
{
    cJSON *list = json_add_array(json, "metadata");
    for (size_t i = 0; i < gguf_kv_count(info->model); i++) {
        const struct gguf_kv *kv = gguf_kv_at(info->model, i);
        if (!filter_match(info->request->keys, kv->key))
            continue;
        cJSON *entry = json_add_object(list, NULL);
        json_str(entry, "key", kv->key);
        json_text(entry, "type", gguf_value_type_name((enum gguf_value_type)kv->value.type));
        if (kv->value.type == GGUF_VALUE_ARRAY) {
            json_text(entry, "item_type",
                      gguf_value_type_name((enum gguf_value_type)kv->value.item));
            json_u64(entry, "count", kv->value.count);
        }
        json_value(entry, "value", kv->value);
    }
}
