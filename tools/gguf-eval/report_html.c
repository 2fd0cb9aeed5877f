/* --report: charts, tables and heat maps in one HTML file. */
#include "tools/gguf-eval/eval.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tools/common/chart.h"

/* ---- Charts --------------------------------------------------------------------- */

/* A point for each model but those without a place on the scale. */
static void plot(FILE *out, const struct subjects *s, const struct chart_plot *like,
                 struct metrics_mean (*value)(const struct subjects *, size_t))
{
    struct chart_point *points = cli_alloc(s->count, sizeof *points);
    struct chart_series series = {.name = "models", .points = points};
    struct chart_plot plot = *like;
    for (size_t i = 0; i < s->count; i++) {
        struct metrics_mean y = value(s, i);
        if (plot.y_scale == CHART_LOG && !(y.value > 0))
            continue;
        const char *slash = strrchr(s->list[i].label, '/');
        points[series.n++] =
            (struct chart_point){(double)s->list[i].bytes / (1 << 20), y.value,
                                 slash ? slash + 1 : s->list[i].label, y.error};
    }
    plot.series = &series;
    plot.n_series = 1;
    if (series.n > 0)
        chart_plot(out, &plot);
    free(points);
}

/* The error is that of the difference from the base: the accident of the text is shared. */
static struct metrics_mean perplexity_of(const struct subjects *s, size_t i)
{
    const struct metrics_summary *x = &s->list[i].summary;
    double base = s->list[0].summary.perplexity.value;
    return (struct metrics_mean){x->perplexity.value, i == 0 ? 0 : base * x->ratio.error};
}

static struct metrics_mean kld_of(const struct subjects *s, size_t i)
{
    return s->list[i].summary.kld;
}

static void plots(FILE *out, const struct subjects *s)
{
    static const struct chart_plot perplexity = {.title = "Perplexity against size",
                                                 .x_label = "size, MiB",
                                                 .y_label = "perplexity",
                                                 .y_scale = CHART_TIGHT};
    static const struct chart_plot kld = {.title = "KL divergence from the base against size",
                                          .x_label = "size, MiB",
                                          .y_label = "mean KL divergence, nats",
                                          .y_scale = CHART_LOG};
    plot(out, s, &perplexity, perplexity_of);
    if (s->count > 1)
        plot(out, s, &kld, kld_of);
}

/* ---- Table ---------------------------------------------------------------------- */

#define CELLS 13

struct cells {
    char text[CELLS][96];
    const char *cell[CELLS];
};

static void fill_cells(struct cells *c, const struct subject *x, bool is_base)
{
    const struct metrics_summary *s = &x->summary;
    size_t n = sizeof c->text[0];
    snprintf(c->text[0], n, "%zu", (size_t)x->bytes);
    snprintf(c->text[1], n, "%.2f", subject_bpw(x));
    snprintf(c->text[2], n, "%.4f ± %.5f", s->perplexity.value, s->perplexity.error);
    snprintf(c->text[11], n, "%.1f", x->seconds > 0 ? (double)x->tokens / x->seconds : 0);
    if (!is_base) {
        snprintf(c->text[3], n, "%.5f ± %.5f", s->ratio.value, s->ratio.error);
        snprintf(c->text[4], n, "%.6f ± %.6f", s->kld.value, s->kld.error);
        snprintf(c->text[5], n, "%.6f", s->kld_median);
        snprintf(c->text[6], n, "%.6f", s->kld_p99);
        snprintf(c->text[7], n, "%.6f", s->kld_max);
        snprintf(c->text[8], n, "%.3f ± %.3f %%", 100 * s->top1.value, 100 * s->top1.error);
        snprintf(c->text[9], n, "%.3f %%", 100 * s->top5);
        snprintf(c->text[10], n, "%.3f ± %.3f %%", 100 * s->dp_rms.value,
                 100 * s->dp_rms.error);
    }
    c->cell[0] = x->label;
    for (size_t i = 0; i + 1 < CELLS; i++)
        c->cell[i + 1] = c->text[i];
}

static void table(FILE *out, const struct subjects *s)
{
    static const char *const heading[CELLS] = {
        "model",    "bytes",      "bits/weight", "perplexity",  "ratio to base",
        "mean KLD", "median KLD", "99 % KLD",    "maximum KLD", "top-1 agreement",
        "top-5",    "RMS Δp",     "tokens/s"};
    chart_heading(out, "Numbers");
    chart_table_begin(out);
    chart_table_row(out, heading, CELLS, true);
    for (size_t i = 0; i < s->count; i++) {
        struct cells cells = {0};
        fill_cells(&cells, &s->list[i], i == 0);
        chart_table_row(out, cells.cell, CELLS, false);
    }
    chart_table_end(out);
}

/* ---- Heat maps ---------------------------------------------------------------------- */

#define MOST_COLUMNS 32

/* Kinds of tensors ("ffn_down") by layer. */
struct map {
    struct gguf_str columns[MOST_COLUMNS];
    size_t n_columns;
    size_t n_layers;
    double *cells; /* [n_layers][MOST_COLUMNS]; NaN: none, or kept as it was */
    double most;
};

/* "blk.12.ffn_down.weight" in parts. */
static bool parse_name(struct gguf_str name, size_t *layer, struct gguf_str *kind)
{
    size_t i = 4, end = name.size;
    if (name.size < 6 || memcmp(name.data, "blk.", 4) != 0)
        return false;
    for (*layer = 0; i < name.size && name.data[i] >= '0' && name.data[i] <= '9'; i++)
        *layer = *layer * 10 + (size_t)(name.data[i] - '0');
    if (i == 4 || i >= name.size || name.data[i] != '.' || *layer >= MODEL_MAX_LAYERS)
        return false;
    if (end > 7 && memcmp(name.data + end - 7, ".weight", 7) == 0)
        end -= 7;
    if (end <= i + 1)
        return false;
    *kind = (struct gguf_str){name.data + i + 1, end - i - 1};
    return true;
}

static size_t find_column(struct map *map, struct gguf_str kind)
{
    for (size_t i = 0; i < map->n_columns; i++) {
        if (gguf_str_compare(map->columns[i], kind) == 0)
            return i;
    }
    if (map->n_columns < MOST_COLUMNS)
        map->columns[map->n_columns++] = kind;
    return map->n_columns - 1;
}

static void fill_map(struct map *map, const struct gguf *gguf, const double *rmse)
{
    *map = (struct map){
        .cells = cli_alloc((size_t)MODEL_MAX_LAYERS * MOST_COLUMNS, sizeof *map->cells)};
    for (size_t i = 0; i < (size_t)MODEL_MAX_LAYERS * MOST_COLUMNS; i++)
        map->cells[i] = NAN;
    for (size_t i = 0; i < gguf_tensor_count(gguf); i++) {
        size_t layer;
        struct gguf_str kind;
        if (!(rmse[i] > 0) || !parse_name(gguf_tensor_at(gguf, i)->name, &layer, &kind))
            continue;
        map->cells[layer * MOST_COLUMNS + find_column(map, kind)] = rmse[i];
        map->n_layers = layer + 1 > map->n_layers ? layer + 1 : map->n_layers;
        map->most = fmax(map->most, rmse[i]);
    }
}

static void print_cell(FILE *out, double value, double most)
{
    if (isnan(value))
        fputs("<td></td>", out);
    else
        fprintf(out,
                "<td style=\"background:color-mix(in srgb,var(--p7) %.0f%%,transparent)\">%.4f"
                "</td>",
                80 * value / most, value);
}

static void print_map(FILE *out, const struct map *map, const char *name)
{
    fputs("<h3>", out);
    chart_text(out, name);
    fputs("</h3>\n", out);
    chart_table_begin(out);
    fputs("<tr><th>layer</th>", out);
    for (size_t c = 0; c < map->n_columns; c++) {
        char text[160];
        gguf_str_escape(text, sizeof text, map->columns[c]);
        fputs("<th>", out);
        chart_text(out, text);
        fputs("</th>", out);
    }
    fputs("</tr>\n", out);
    for (size_t layer = 0; layer < map->n_layers; layer++) {
        fprintf(out, "<tr><td>%zu</td>", layer);
        for (size_t c = 0; c < map->n_columns; c++)
            print_cell(out, map->cells[layer * MOST_COLUMNS + c], map->most);
        fputs("</tr>\n", out);
    }
    chart_table_end(out);
}

/* One scale for all models. */
static void heat_maps(FILE *out, struct subjects *s)
{
    struct map *maps = cli_alloc(s->count, sizeof *maps);
    double most = 0;
    chart_heading(out, "Error of the weights by layer");
    fputs(
        "<p>Relative root mean square error of each tensor against the base. A tensor that is "
        "as in the base has an empty cell.</p>\n",
        out);
    for (size_t i = 1; i < s->count; i++) {
        subject_weight_errors(&s->list[i], &s->list[0]);
        fill_map(&maps[i], s->list[0].gguf, s->list[i].tensor_rmse);
        most = fmax(most, maps[i].most);
    }
    for (size_t i = 1; i < s->count; i++) {
        maps[i].most = most;
        if (maps[i].n_layers > 0)
            print_map(out, &maps[i], s->list[i].label);
        free(maps[i].cells);
    }
    free(maps);
}

/* ---- The page ----------------------------------------------------------------------- */

static void introduction(FILE *out, const struct measurement *m, const struct request *r)
{
    fputs("<p>", out);
    chart_text(out, r->text ? r->text : r->tokens);
    fprintf(out, ": %zu tokens scored in %zu ", m->scored, m->windows);
    if (m->stride)
        fprintf(out, "windows of %u that move by %u", m->chunk, m->stride);
    else
        fprintf(out, "chunks of %u", m->chunk);
    fprintf(
        out,
        ", activations %s. A number behind ± is one standard error. "
        "Bars in the charts are one standard error too, of perplexity that of the difference "
        "from the base. Below and to the left is better.</p>\n",
        activations_name(r));
}

void report_html(FILE *out, const struct measurement *m, struct subjects *s,
                 const struct request *r)
{
    chart_page_begin(out, "Quality against size");
    introduction(out, m, r);
    plots(out, s);
    table(out, s);
    if (s->count > 1)
        heat_maps(out, s);
    chart_page_end(out);
}
