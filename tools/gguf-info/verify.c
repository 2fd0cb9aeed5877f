/* --verify: gathers what the checks find and says it in plain words. */
#include "tools/gguf-info/info.h"

#include "quant/quant.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define MAX_KEPT 200 /* findings that are shown; all are counted */

struct finding {
    bool warning;
    struct gguf_str where; /* belongs to the model or to the program's text */
    uint64_t offset;       /* or GGUF_NO_OFFSET */
    char text[1088];
};

struct verify {
    struct finding *list;
    size_t kept, problems, warnings;
    uint64_t data_bytes;
};

static struct finding *add_finding(struct verify *v, bool warning, struct gguf_str where)
{
    *(warning ? &v->warnings : &v->problems) += 1;
    if (v->kept == MAX_KEPT)
        return NULL;
    v->list = cli_grow(v->list, v->kept + 1, sizeof *v->list);
    struct finding *f = &v->list[v->kept++];
    *f = (struct finding){.warning = warning, .where = where, .offset = GGUF_NO_OFFSET};
    return f;
}

static void note(struct finding *f, const char *format, va_list args)
{
    if (f)
        vsnprintf(f->text, sizeof f->text, format, args);
}

void verify_problem(struct verify *verify, struct gguf_str where, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    note(add_finding(verify, false, where), format, args);
    va_end(args);
}

void verify_warning(struct verify *verify, struct gguf_str where, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    note(add_finding(verify, true, where), format, args);
    va_end(args);
}

static void add_error(struct verify *v, const struct gguf_error *err)
{
    struct finding *f = add_finding(v, false, (struct gguf_str){"", 0});
    if (f) {
        f->offset = err->offset;
        char place[48];
        info_place(err, place, sizeof place);
        snprintf(f->text, sizeof f->text, "%s%s", err->message, place);
    }
}

/* ---- All checks ----------------------------------------------------------------------- */

static void add_open_problems(struct verify *v, const struct gguf *model)
{
    struct problems p = problems_new(model);
    for (size_t i = 0; i < p.count; i++)
        add_error(v, &p.list[i]);
    v->problems += p.more;
    problems_free(&p);
}

static bool set_is_complete(const struct gguf *model)
{
    const struct gguf_error *err;
    for (size_t i = 0; (err = gguf_problem_at(model, i)); i++) {
        if (err->status == GGUF_ERR_SHARDS)
            return false;
    }
    return true;
}

static void verify_all(struct verify *v, struct info *info)
{
    struct gguf_error err;
    add_open_problems(v, info->model);
    verify_metadata(v, info->model);
    if (set_is_complete(info->model)) {
        verify_architecture(v, info->model);
        verify_layers(v, info->model);
    }
    if (verify_data(v, info, &v->data_bytes, &err) != GGUF_OK) {
        add_error(v, &err);
        if (err.status == GGUF_ERR_IO || err.status == GGUF_ERR_MEMORY)
            info_worse(info, CLI_TROUBLE);
    }
    if (v->problems)
        info_worse(info, CLI_NO);
}

/* ---- Output ----------------------------------------------------------------------------- */

static void print_finding(const struct finding *f)
{
    printf("%s: ", f->warning ? "warning" : "problem");
    if (f->where.size) {
        term_print_str(stdout, f->where, 160);
        printf(": ");
    }
    printf("%s\n", f->text);
}

static void print_not_kept(const struct verify *v)
{
    size_t all = v->problems + v->warnings;
    if (all > v->kept)
        printf("... and %zu more\n", all - v->kept);
}

static void print_not_ok(const struct verify *v)
{
    printf("not ok: %s", text_plural(v->problems, "problem").text);
    if (v->warnings)
        printf(", %s", text_plural(v->warnings, "warning").text);
    putchar('\n');
}

static void print_ok(const struct verify *v, const struct gguf *model)
{
    printf("ok: %s, %s, %s of tensor data read", text_plural(gguf_kv_count(model), "key").text,
           text_plural(gguf_tensor_count(model), "tensor").text,
           term_bytes(v->data_bytes).text);
    if (v->warnings)
        printf("; %s", text_plural(v->warnings, "warning").text);
    putchar('\n');
}

void verify_print(struct info *info)
{
    struct verify v = {0};
    verify_all(&v, info);
    for (size_t i = 0; i < v.kept; i++)
        print_finding(&v.list[i]);
    print_not_kept(&v);
    if (v.problems)
        print_not_ok(&v);
    else
        print_ok(&v, info->model);
    free(v.list);
}

static void add_findings_json(cJSON *json, const char *key, const struct verify *v,
                              bool warning)
{
    cJSON *list = json_add_array(json, key);
    for (size_t i = 0; i < v->kept; i++) {
        const struct finding *f = &v->list[i];
        if (f->warning != warning)
            continue;
        cJSON *entry = json_add_object(list, NULL);
        if (f->where.size)
            json_str(entry, "where", f->where);
        else
            json_null(entry, "where");
        json_text(entry, "message", f->text);
        if (f->offset != GGUF_NO_OFFSET)
            json_u64(entry, "offset", f->offset);
        else
            json_null(entry, "offset");
    }
}

static void add_verdict_json(cJSON *json, const struct verify *v)
{
    cJSON *verdict = json_add_object(json, "verify");
    json_bool(verdict, "ok", v->problems == 0);
    json_u64(verdict, "problem_count", v->problems);
    json_u64(verdict, "warning_count", v->warnings);
    json_u64(verdict, "data_bytes", v->data_bytes);
    add_findings_json(verdict, "problems", v, false);
    add_findings_json(verdict, "warnings", v, true);
}

void verify_json(struct info *info, cJSON *json)
{
    struct verify v = {0};
    verify_all(&v, info);
    add_verdict_json(json, &v);
    free(v.list);
}

/* ---- A file that cannot be opened ------------------------------------------------ */

void verify_print_failure(const struct gguf_error *err)
{
    struct verify v = {0};
    add_error(&v, err);
    print_finding(&v.list[0]);
    print_not_ok(&v);
    free(v.list);
}

void verify_json_failure(const struct gguf_error *err, cJSON *json)
{
    struct verify v = {0};
    add_error(&v, err);
    add_verdict_json(json, &v);
    free(v.list);
}
