/* --chat-template: the templates as text. They are never run. */
#include "tools/gguf-info/info.h"

#include <string.h>

#define PREFIX "tokenizer.chat_template"

/* tokenizer.chat_template, or tokenizer.chat_template.NAME. */
static bool is_template(const struct gguf_kv *kv, struct chat_template *out)
{
    size_t n = sizeof PREFIX - 1;
    if (kv->key.size < n || memcmp(kv->key.data, PREFIX, n) != 0 ||
        !gguf_value_string(kv->value, &out->text))
        return false;
    if (kv->key.size == n) {
        out->name = (struct gguf_str){"default", 7};
        return true;
    }
    out->name = (struct gguf_str){kv->key.data + n + 1, kv->key.size - n - 1};
    return kv->key.data[n] == '.';
}

bool template_next(const struct gguf *model, size_t *at, struct chat_template *out)
{
    while (*at < gguf_kv_count(model)) {
        if (is_template(gguf_kv_at(model, (*at)++), out))
            return true;
    }
    return false;
}

/* Newlines and tabs as they are, so that it can be read; the rest escaped. */
static void print_readable(struct gguf_str text)
{
    size_t start = 0;
    for (size_t i = 0; i <= text.size; i++) {
        if (i < text.size && text.data[i] != '\n' && text.data[i] != '\t')
            continue;
        if (i > start)
            term_print_str(stdout, (struct gguf_str){text.data + start, i - start}, 0);
        if (i < text.size)
            putchar(text.data[i]);
        start = i + 1;
    }
    if (text.size && text.data[text.size - 1] != '\n')
        putchar('\n');
}

static size_t count_templates(const struct gguf *model)
{
    struct chat_template t;
    size_t n = 0;
    for (size_t at = 0; template_next(model, &at, &t);)
        n++;
    return n;
}

void template_print(struct info *info)
{
    struct chat_template t;
    size_t count = count_templates(info->model), at = 0;
    if (count == 0 && !info->request->quiet)
        cli_warning("%s: no chat template", info->path);
    for (size_t i = 0; template_next(info->model, &at, &t); i++) {
        if (count > 1) {
            printf("%s--- ", i ? "\n" : "");
            term_print_str(stdout, t.name, 0);
            printf(" ---\n");
        }
        print_readable(t.text);
    }
}

void template_json(struct info *info, cJSON *json)
{
    cJSON *list = json_add_array(json, "chat_templates");
    struct chat_template t;
    for (size_t at = 0; template_next(info->model, &at, &t);) {
        cJSON *entry = json_add_object(list, NULL);
        json_str(entry, "name", t.name);
        json_str(entry, "template", t.text);
    }
}
