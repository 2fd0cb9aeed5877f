/* What gguf-imatrix prints. */
#include "tools/gguf-imatrix/imatrix.h"

#include <inttypes.h>
#include <stdlib.h>

/* ---- Experts --------------------------------------------------------------------- */

static size_t count_unseen(const struct quant_squares *entry)
{
    size_t unseen = 0;
    for (uint64_t e = 0; e < entry->experts; e++)
        unseen += !(entry->counts[e] > 0);
    return unseen;
}

void report_unseen(const struct job *job)
{
    const struct quant_squares *first = NULL;
    size_t tensors = 0;
    for (size_t i = 0; i < quant_tally_count(job->tally); i++) {
        const struct quant_squares *entry = quant_tally_at(job->tally, i);
        if (count_unseen(entry) == 0)
            continue;
        first = first ? first : entry;
        tensors++;
    }
    if (first)
        cli_warning("%zu tensors have experts that no token reached, such as %zu of %" PRIu64
                    " in %.*s; a longer text may reach them",
                    tensors, count_unseen(first), first->experts, (int)first->name.size,
                    first->name.data);
}

/* ---- Text ------------------------------------------------------------------------ */

static void print_statistics(const struct job *job)
{
    size_t n;
    struct statistics *list = statistics_make(job->tally, &n);
    struct table *table = table_new("lrrrrrrrrrr");
    static const char *const heading[] = {"tensor",   "sum",       "min",    "max",
                                          "mean",     "deviation", "active", "entropy",
                                          "evenness", "outliers",  "cosine"};
    for (size_t i = 0; i < sizeof heading / sizeof heading[0]; i++)
        table_cell(table, heading[i]);
    for (size_t i = 0; i < n; i++) {
        const struct statistics *s = &list[i];
        table_cell_str(table, s->of->name, 0);
        table_cellf(table, "%.2f", s->sum);
        table_cellf(table, "%.4f", s->min);
        table_cellf(table, "%.4f", s->max);
        table_cellf(table, "%.4f", s->mean);
        table_cellf(table, "%.4f", s->deviation);
        table_cellf(table, "%.2f %%", 100 * s->active);
        table_cellf(table, "%.3f", s->entropy);
        table_cellf(table, "%.2f %%", 100 * s->evenness);
        table_cellf(table, "%.2f %%", 100 * s->outliers);
        if (s->has_layer_before)
            table_cellf(table, "%.4f", s->cosine);
        else
            table_cell(table, "");
    }
    table_print(table, stdout, 0, true);
    table_free(table);
    free(list);
}

static void print_summary(const struct job *job)
{
    const struct request *r = job->request;
    printf("%-8s", "text");
    for (size_t i = 0; i < job->n_datasets; i++) {
        fputs(i ? ", " : "", stdout);
        term_print_str(stdout, job->datasets[i], 0);
    }
    printf("\n%-8s%" PRIu64 " of %u tokens\n", "chunks",
           quant_tally_chunks(job->tally, job->chunk), job->chunk);
    printf("%-8s%zu\n", "tensors", quant_tally_count(job->tally));
    if (r->output) {
        printf("%-8s", "output");
        term_print_str(stdout, text_str(r->output), 0);
        fputs(r->is_legacy ? ", legacy form\n" : "\n", stdout);
    }
}

void report_text(const struct job *job)
{
    print_summary(job);
    if (job->request->statistics) {
        printf("\n");
        print_statistics(job);
    }
}

/* ---- JSON ------------------------------------------------------------------------ */

static void add_statistics(cJSON *parent, const struct job *job)
{
    size_t n;
    struct statistics *list = statistics_make(job->tally, &n);
    cJSON *array = json_add_array(parent, "statistics");
    for (size_t i = 0; i < n; i++) {
        const struct statistics *s = &list[i];
        cJSON *one = json_add_object(array, NULL);
        json_str(one, "tensor", s->of->name);
        json_u64(one, "columns", s->of->columns);
        json_u64(one, "experts", s->of->experts);
        json_u64(one, "experts_unseen", count_unseen(s->of));
        json_f64(one, "sum", s->sum);
        json_f64(one, "min", s->min);
        json_f64(one, "max", s->max);
        json_f64(one, "mean", s->mean);
        json_f64(one, "deviation", s->deviation);
        json_f64(one, "active", s->active);
        json_f64(one, "entropy", s->entropy);
        json_f64(one, "evenness", s->evenness);
        json_f64(one, "outliers", s->outliers);
        if (s->has_layer_before)
            json_f64(one, "cosine", s->cosine);
        else
            json_null(one, "cosine");
    }
    free(list);
}

void report_json(const struct job *job)
{
    const struct request *r = job->request;
    cJSON *root = json_object();
    if (r->calibration.model)
        json_str(root, "model", text_str(r->calibration.model));
    if (r->output)
        json_str(root, "output", text_str(r->output));
    cJSON *datasets = json_add_array(root, "datasets");
    for (size_t i = 0; i < job->n_datasets; i++)
        json_str(datasets, NULL, job->datasets[i]);
    json_u64(root, "chunks", quant_tally_chunks(job->tally, job->chunk));
    json_u64(root, "chunk_size", job->chunk);
    json_u64(root, "tensors", quant_tally_count(job->tally));
    if (r->calibration.text) {
        json_u64(root, "chunks_evaluated", job->done - job->start);
        json_f64(root, "seconds", job->seconds);
    }
    if (r->statistics)
        add_statistics(root, job);
    json_print(root);
}
