/* What came out, for people: tables. */
#include "tools/gguf-quant/job.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* Relative errors are known after a real run alone. */
static void table_rmse(struct table *table, const struct job *job, double rmse)
{
    if (job->request->dry_run)
        table_cell(table, "");
    else
        table_cellf(table, "%.5f", rmse);
}

static void table_heading(struct table *table, const struct job *job, const char *const *cells)
{
    for (; *cells; cells++)
        table_cell(table, *cells);
    table_cell(table, job->request->dry_run ? "" : "relative RMSE");
}

static void print_table(struct table *table)
{
    table_print(table, stdout, 2, true);
    table_free(table);
    putchar('\n');
}

/* ---- All tensors (-v) ------------------------------------------------------------------- */

static void table_shape(struct table *table, const struct gguf_tensor *t)
{
    char text[96] = "";
    for (uint32_t d = 0, used = 0; d < t->n_dims; d++)
        used += (uint32_t)snprintf(text + used, sizeof text - used, "%s%" PRIu64,
                                   d ? " x " : "", t->ne[d]);
    table_cell(table, text);
}

static void print_tensors(const struct job *job)
{
    static const char *const heading[] = {"tensor", "shape", "from", "to", "bytes", NULL};
    struct table *table = table_new("llllrr");
    table_heading(table, job, heading);
    for (size_t i = 0; i < job->n_items; i++) {
        const struct quant_item *item = &job->items[i];
        const struct gguf_tensor *t = job_tensor(job, item);
        table_cell_str(table, t->name, 80);
        table_shape(table, t);
        table_cell(table, type_name(t->type));
        table_cell(table, was_converted(job, item) ? type_name(item->choice.type) : "");
        table_cellf(table, "%" PRIu64, job_item_bytes(job, item));
        if (was_converted(job, item))
            table_rmse(table, job, quant_item_rmse(item));
        else
            table_cell(table, "");
    }
    print_table(table);
}

/* ---- By type ---------------------------------------------------------------------------- */

static void table_sum(struct table *table, const char *name, const struct sum *sum)
{
    table_cell(table, name);
    table_cellf(table, "%" PRIu64, sum->tensors);
    table_cell(table, term_count(sum->parameters).text);
    table_cell(table, term_bytes(sum->bytes_in).text);
    table_cell(table, term_bytes(sum->bytes_out).text);
    table_cellf(table, "%.2f", sum_bits(sum));
}

static void print_types(const struct job *job)
{
    static const char *const heading[] = {"type", "tensors", "parameters",
                                          "in",   "out",     "bits per weight"};
    struct table *table = table_new("lrrrrr");
    for (size_t i = 0; i < sizeof heading / sizeof heading[0]; i++)
        table_cell(table, heading[i]);
    for (size_t i = 0; gguf_type_at(i); i++) {
        struct sum sum = sum_of_type(job, gguf_type_at(i)->id);
        if (sum.tensors)
            table_sum(table, gguf_type_at(i)->name, &sum);
    }
    struct sum all = sum_of_all(job);
    table_sum(table, "all", &all);
    print_table(table);
}

/* ---- By group --------------------------------------------------------------------------- */

static void print_groups(const struct job *job)
{
    static const char *const heading[] = {"group", "tensors", "types", "bits per weight", NULL};
    size_t count;
    struct group *groups = groups_make(job, &count);
    struct table *table = table_new("lrlrr");
    table_heading(table, job, heading);
    for (size_t i = 0; i < count; i++) {
        table_cell_str(table, groups[i].name, 60);
        table_cellf(table, "%" PRIu64, groups[i].sum.tensors);
        table_cell(table, groups[i].types);
        table_cellf(table, "%.2f", sum_bits(&groups[i].sum));
        table_rmse(table, job, sum_rmse(&groups[i].sum));
    }
    if (count)
        print_table(table);
    else
        table_free(table);
    free(groups);
}

static void print_worst(const struct job *job)
{
    const struct quant_item *worst = NULL;
    for (size_t i = 0; i < job->n_items; i++) {
        const struct quant_item *item = &job->items[i];
        if (was_converted(job, item) &&
            (!worst || quant_item_rmse(item) > quant_item_rmse(worst)))
            worst = item;
    }
    if (!worst || job->request->dry_run)
        return;
    printf("  worst tensor: ");
    term_print_str(stdout, job_tensor(job, worst)->name, 80);
    printf(" (%s), relative RMSE %.5f\n\n", type_name(worst->choice.type),
           quant_item_rmse(worst));
}

/* ---- Fallbacks -------------------------------------------------------------------------- */

static size_t count_fallbacks(const struct job *job)
{
    size_t n = 0;
    for (size_t i = 0; i < job->n_items; i++)
        n += job->items[i].choice.reason == QUANT_FALLBACK;
    return n;
}

void report_fallbacks(const struct job *job)
{
    size_t n = count_fallbacks(job);
    if (n == 0)
        return;
    cli_warning("%zu of %zu tensors got another type, as their rows do not divide into blocks "
                "of the wanted one:",
                n, job->n_items);
    for (size_t i = 0; i < job->n_items; i++) {
        const struct quant_choice *c = &job->items[i].choice;
        if (c->reason != QUANT_FALLBACK)
            continue;
        fprintf(stderr, "  ");
        term_print_str(stderr, job_tensor(job, &job->items[i])->name, 80);
        fprintf(stderr, ": %s instead of %s (rows of %" PRIu64 ")\n", type_name(c->type),
                type_name(c->wanted), job_tensor(job, &job->items[i])->ne[0]);
    }
}

/* ---- The whole report ------------------------------------------------------------------- */

static void print_heading(const struct job *job)
{
    const struct request *r = job->request;
    term_print_str(stdout, (struct gguf_str){r->input, strlen(r->input)}, 0);
    printf(" -> ");
    if (r->output)
        term_print_str(stdout, (struct gguf_str){r->output, strlen(r->output)}, 0);
    else
        printf("(nothing written)");
    printf(" as %s%s\n\n", r->recipe.mix->name, r->dry_run ? ", dry run" : "");
}

/* How many of the tensors that could use importance have some. */
static void print_importance(const struct job *job)
{
    size_t able = 0, used = 0;
    for (size_t i = 0; i < job->n_items; i++) {
        able += job_takes_importance(job, &job->items[i]);
        used += job->items[i].importance != NULL;
    }
    if (job->imatrix)
        printf("  importance for %zu of %zu quantized tensors\n\n", used, able);
}

static void print_sizes(const struct job *job)
{
    size_t files = gguf_writer_file_count(job->writer);
    printf("  in   %s\n", term_bytes_exact(job->input_bytes).text);
    printf("  out  %s, %.1f %% of the input", term_bytes_exact(job->output_bytes).text,
           100 * (double)job->output_bytes / (double)job->input_bytes);
    if (files > 1)
        printf(", in %zu files", files);
    printf("\n");
}

void report_text(const struct job *job)
{
    print_heading(job);
    if (job->request->verbose)
        print_tensors(job);
    print_types(job);
    print_groups(job);
    print_worst(job);
    print_importance(job);
    print_sizes(job);
}
