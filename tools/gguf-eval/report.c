/* What was measured, for people: tables. */
#include "tools/gguf-eval/eval.h"

#include <inttypes.h>
#include <string.h>

const char *activations_name(const struct request *r)
{
    return r->activations == MODEL_ACTIVATIONS_F32 ? "f32" : "q8";
}

static void table_row(struct table *table, const char *const *cells)
{
    for (; *cells; cells++)
        table_cell(table, *cells);
}

static void table_name(struct table *table, const struct subject *s)
{
    table_cell(table, s->label);
}

static void print_table(struct table *table)
{
    putchar('\n');
    table_print(table, stdout, 0, true);
    table_free(table);
}

static void print_heading(const struct measurement *m, const struct request *r)
{
    const char *source = r->text ? r->text : r->tokens;
    printf("text         ");
    term_print_str(stdout, (struct gguf_str){source, strlen(source)}, 0);
    printf(", %s tokens\n", term_grouped(m->tokens.count).text);
    printf("scored       %s tokens in ", term_grouped(m->scored).text);
    if (m->stride)
        printf("%zu windows of %u, moved by %u", m->windows, m->chunk, m->stride);
    else
        printf("%zu chunk%s of %u, from the middle of each on", m->windows,
               m->windows == 1 ? "" : "s", m->chunk);
    printf("%s\n", m->stopped_early ? "; stopped early, the interval is tight enough" : "");
    printf("activations  %s\n", r->activations == MODEL_ACTIVATIONS_F32
                                    ? "f32, not rounded"
                                    : "q8, rounded to 8-bit blocks for quantized weights as "
                                      "the engines do");
}

/* Errors are one standard error. */
static void print_perplexity(const struct measurement *m, const struct subjects *s)
{
    static const char *const heading[] = {
        "model",         "size",      "bits/weight", "perplexity",
        "ratio to base", "bits/byte", "tokens/s",    NULL};
    struct table *table = table_new("lrrrrrr");
    table_row(table, heading);
    for (size_t i = 0; i < s->count; i++) {
        const struct subject *x = &s->list[i];
        table_name(table, x);
        table_cell(table, term_bytes(x->bytes).text);
        table_cellf(table, "%.2f", subject_bpw(x));
        table_cellf(table, "%.4f ± %.5f", x->summary.perplexity.value,
                    x->summary.perplexity.error);
        if (i == 0)
            table_cell(table, "");
        else
            table_cellf(table, "%.5f ± %.5f", x->summary.ratio.value, x->summary.ratio.error);
        if (m->scored_bytes)
            table_cellf(table, "%.4f", bits_per_byte(m, x));
        else
            table_cell(table, "");
        table_cellf(table, "%.1f", x->seconds > 0 ? (double)x->tokens / x->seconds : 0);
    }
    print_table(table);
}

static void print_divergence(const struct subjects *s)
{
    static const char *const heading[] = {"KL divergence", "mean",   "median", "90 %", "95 %",
                                          "99 %",          "99.9 %", "max",    NULL};
    struct table *table = table_new("lrrrrrrr");
    table_row(table, heading);
    for (size_t i = 1; i < s->count; i++) {
        const struct metrics_summary *x = &s->list[i].summary;
        const double values[] = {x->kld_median, x->kld_p90,  x->kld_p95,
                                 x->kld_p99,    x->kld_p999, x->kld_max};
        table_name(table, &s->list[i]);
        table_cellf(table, "%.6f ± %.6f", x->kld.value, x->kld.error);
        for (size_t k = 0; k < sizeof values / sizeof values[0]; k++)
            table_cellf(table, "%.6f", values[k]);
    }
    print_table(table);
}

/* Changes of the probability of the right token, in per cent points. */
static void print_agreement(const struct subjects *s)
{
    static const char *const heading[] = {"agreement", "top 1", "top 5", "RMS Δp", "mean Δp",
                                          "1 %",       "5 %",   "95 %",  "99 %",   NULL};
    struct table *table = table_new("lrrrrrrrr");
    table_row(table, heading);
    for (size_t i = 1; i < s->count; i++) {
        const struct metrics_summary *x = &s->list[i].summary;
        table_name(table, &s->list[i]);
        table_cellf(table, "%.3f ± %.3f %%", 100 * x->top1.value, 100 * x->top1.error);
        table_cellf(table, "%.3f %%", 100 * x->top5);
        table_cellf(table, "%.3f ± %.3f %%", 100 * x->dp_rms.value, 100 * x->dp_rms.error);
        table_cellf(table, "%.3f ± %.3f %%", 100 * x->dp.value, 100 * x->dp.error);
        for (size_t k = 0; k < METRICS_DP_PERCENTILES; k++) {
            double percent = metrics_dp_percentile[k];
            if (percent == 1 || percent == 5 || percent == 95 || percent == 99)
                table_cellf(table, "%.3f %%", 100 * x->dp_percentile[k]);
        }
    }
    print_table(table);
}

void report_text(const struct measurement *m, const struct subjects *s, const struct request *r)
{
    print_heading(m, r);
    print_perplexity(m, s);
    if (s->count > 1) {
        print_divergence(s);
        print_agreement(s);
    }
    if (s->count > 2)
        report_plots(s);
}
