/* Comparing encodings of a real model, tensor by tensor. */
#include "tests/bench/compare.h"

#include "libgguf/gguf.h"
#include "quant/quant.h"
#include "tests/bench/measure.h"
#include "tools/common/cli.h"
#include "tools/common/json.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define MOST_COLUMNS 3 /* of ours: the file, or the presets */

struct files {
    struct gguf *source, *reference, *ours;
    struct quant_imatrix *imatrix;
};

/* One tensor: [0] the reference, then ours. */
struct line {
    const struct gguf_tensor *source, *reference;
    bool imatrix;
    struct bench_error error[1 + MOST_COLUMNS];
};

/* ---- Reading ------------------------------------------------------------------------ */

static struct gguf *open_model(const char *path)
{
    struct gguf *model;
    struct gguf_error err;
    if (gguf_open(&model, path, GGUF_OPEN_MAP, &err) != GGUF_OK)
        cli_die("%s", err.message);
    return model;
}

static struct files open_files(const struct bench_compare *c)
{
    struct files f = {.source = open_model(c->source), .reference = open_model(c->reference)};
    struct gguf_error err;
    if (c->ours)
        f.ours = open_model(c->ours);
    if (c->imatrix && quant_imatrix_open(&f.imatrix, c->imatrix, &err) != GGUF_OK)
        cli_die("%s", err.message);
    return f;
}

static void close_files(struct files *f)
{
    gguf_close(f->source);
    gguf_close(f->reference);
    gguf_close(f->ours);
    quant_imatrix_close(f->imatrix);
}

static const struct gguf_tensor *find_like(const struct gguf *model,
                                           const struct gguf_tensor *tensor)
{
    char name[GGUF_MAX_NAME + 1];
    snprintf(name, sizeof name, "%.*s", (int)tensor->name.size, tensor->name.data);
    const struct gguf_tensor *found = gguf_tensor_find(model, name);
    return found && found->elements == tensor->elements && found->readable ? found : NULL;
}

/* The row'th row of a tensor as floats. */
static void read_row(const struct gguf *model, const struct gguf_tensor *tensor, uint64_t row,
                     float *out)
{
    const struct quant_format *format = quant_format_find(tensor->type);
    uint64_t bytes = 0;
    if (!format || !gguf_type_bytes(tensor->type, tensor->ne[0], &bytes))
        cli_die("a tensor of type %u cannot be decoded", tensor->type);
    void *data = cli_alloc((size_t)bytes, 1);
    struct gguf_error err;
    if (gguf_tensor_read(model, tensor, row * bytes, data, (size_t)bytes, &err) != GGUF_OK)
        cli_die("%s", err.message);
    format->decode(data, out, (size_t)tensor->ne[0]);
    free(data);
}

/* ---- Comparing ---------------------------------------------------------------------- */

/* Our encoders of a type, in the order of the columns. */
static size_t our_cases(const struct bench_compare *compare, uint32_t type, bool imatrix,
                        struct bench_case cases[MOST_COLUMNS])
{
    struct bench_case c;
    size_t n = 0;
    for (size_t i = 0; bench_case_at(&c, compare->cpu, i); i++)
        if (c.type == type && c.imatrix == imatrix && compare->presets[c.preset])
            cases[n++] = c;
    return n;
}

static void add_row(struct line *line, const struct bench_compare *compare,
                    const struct files *f, const struct gguf_tensor *ours, uint64_t row)
{
    size_t n = (size_t)line->source->ne[0];
    uint64_t per_expert = line->source->ne[1];
    const struct quant_importance *importance =
        f->imatrix ? quant_imatrix_find(f->imatrix, line->source->name) : NULL;
    const float *w = quant_importance_row(importance, n, row / per_expert);
    const struct bench_type *type = bench_type_find(line->reference->type);
    struct bench_case cases[MOST_COLUMNS];
    struct bench_group group = {.rows = 1, .columns = n, .importance = (float *)(uintptr_t)w};
    float *y = cli_alloc(n, sizeof *y);
    group.x = cli_alloc(n, sizeof *group.x);
    line->imatrix = w != NULL;
    read_row(f->source, line->source, row, group.x);
    read_row(f->reference, line->reference, row, y);
    bench_error_add(&line->error[0], type, group.x, y, n, w);
    if (ours) {
        read_row(f->ours, ours, row, y);
        bench_error_add(&line->error[1], type, group.x, y, n, w);
    }
    size_t n_cases = ours ? 0 : our_cases(compare, line->reference->type, w != NULL, cases);
    for (size_t i = 0; i < n_cases; i++) {
        struct bench_error e = bench_measure_rows(&cases[i], &group);
        bench_error_merge(&line->error[1 + i], &e);
    }
    free(group.x);
    free(y);
}

/* False for a tensor that is not compared: not quantized there, or absent in one file. */
static bool compare_tensor(struct line *line, const struct bench_compare *compare,
                           const struct files *f, size_t index)
{
    *line = (struct line){.source = gguf_tensor_at(f->source, index)};
    line->reference = find_like(f->reference, line->source);
    const struct gguf_tensor *ours = f->ours ? find_like(f->ours, line->source) : NULL;
    if (!line->reference || (f->ours && !ours) ||
        gguf_type_find(line->reference->type)->block_elements == 1)
        return false;
    uint64_t rows = line->source->elements / line->source->ne[0];
    for (uint64_t row = 0; row < rows; row++)
        add_row(line, compare, f, ours, row);
    return true;
}

/* ---- Totals ------------------------------------------------------------------------- */

/* Over all tensors, each by its elements: the objectives' weights have no common scale. */
struct total {
    double squared[1 + MOST_COLUMNS], elements;
};

static void total_add(struct total *total, const struct line *line)
{
    double elements = (double)line->source->elements;
    total->elements += elements;
    for (size_t i = 0; i < 1 + MOST_COLUMNS; i++)
        total->squared[i] += elements * pow(bench_weighted_rmse(&line->error[i]), 2);
}

static double total_rmse(const struct total *total, size_t column)
{
    return total->elements > 0 ? sqrt(total->squared[column] / total->elements) : 0;
}

static double per_cent(double ours, double reference)
{
    return reference > 0 ? 100 * (ours / reference - 1) : 0;
}

/* ---- Output ------------------------------------------------------------------------- */

/* The headings of our columns: their number is returned. */
static size_t our_columns(const struct bench_compare *c, const char *names[MOST_COLUMNS])
{
    static const enum quant_preset order[] = {QUANT_PRESET_FAST, QUANT_PRESET_DEFAULT,
                                              QUANT_PRESET_BEST};
    size_t n = 0;
    if (c->ours) {
        names[0] = "ours";
        return 1;
    }
    for (size_t i = 0; i < 3; i++)
        if (c->presets[order[i]])
            names[n++] = quant_preset_name(order[i]);
    return n;
}

static void print_line(struct bench_sheet *sheet, const struct line *line, size_t n)
{
    double reference = bench_weighted_rmse(&line->error[0]);
    bench_cell(sheet, "%.*s", (int)line->source->name.size, line->source->name.data);
    bench_cell(sheet, "%s%s", gguf_type_find(line->reference->type)->name,
               line->imatrix ? " imatrix" : "");
    bench_cell(sheet, "%.6g", reference);
    for (size_t i = 1; i <= n; i++)
        bench_cell(sheet, "%+.2f", per_cent(bench_weighted_rmse(&line->error[i]), reference));
}

static void compare_text(const struct bench_compare *c, const struct files *f)
{
    const char *names[MOST_COLUMNS];
    size_t n = our_columns(c, names);
    struct bench_sheet sheet = bench_sheet_begin(n == 1   ? "llrr"
                                                 : n == 2 ? "llrrr"
                                                          : "llrrrr",
                                                 c->output != BENCH_TEXT);
    bench_cell(&sheet, "tensor");
    bench_cell(&sheet, "type");
    bench_cell(&sheet, "reference wrmse");
    for (size_t i = 0; i < n; i++)
        bench_cell(&sheet, "%s %%", names[i]);
    struct total total = {0};
    struct line line;
    for (size_t i = 0; i < gguf_tensor_count(f->source); i++) {
        if (!compare_tensor(&line, c, f, i))
            continue;
        total_add(&total, &line);
        print_line(&sheet, &line, n);
    }
    bench_cell(&sheet, "all");
    bench_cell(&sheet, "-");
    bench_cell(&sheet, "%.6g", total_rmse(&total, 0));
    for (size_t i = 1; i <= n; i++)
        bench_cell(&sheet, "%+.2f", per_cent(total_rmse(&total, i), total_rmse(&total, 0)));
    bench_sheet_end(&sheet);
}

static void compare_json(const struct bench_compare *c, const struct files *f)
{
    const char *names[MOST_COLUMNS];
    size_t n = our_columns(c, names);
    cJSON *root = json_object(), *tensors = json_add_array(root, "tensors");
    struct total total = {0};
    struct line line;
    for (size_t i = 0; i < gguf_tensor_count(f->source); i++) {
        if (!compare_tensor(&line, c, f, i))
            continue;
        cJSON *item = json_add_object(tensors, NULL);
        total_add(&total, &line);
        json_str(item, "name", line.source->name);
        json_text(item, "type", gguf_type_find(line.reference->type)->name);
        json_bool(item, "imatrix", line.imatrix);
        json_f64(item, "reference", bench_weighted_rmse(&line.error[0]));
        for (size_t k = 0; k < n; k++)
            json_f64(item, names[k], bench_weighted_rmse(&line.error[1 + k]));
    }
    cJSON *all = json_add_object(root, "all");
    json_f64(all, "reference", total_rmse(&total, 0));
    for (size_t k = 0; k < n; k++)
        json_f64(all, names[k], total_rmse(&total, 1 + k));
    json_print(root);
}

int bench_compare_models(const struct bench_compare *compare)
{
    struct files f = open_files(compare);
    if (compare->output == BENCH_JSON)
        compare_json(compare, &f);
    else
        compare_text(compare, &f);
    close_files(&f);
    return CLI_OK;
}
