/* What came out: tables for people, JSON for programs. */
#include "tools/gguf-quant/job.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static const char *type_name(uint32_t type)
{
    const struct gguf_type_info *info = gguf_type_find(type);
    return info ? info->name : "unknown";
}

/* A number that adds up over tensors: of one type, or of one group. */
struct sum {
    uint64_t tensors, parameters, bytes_in, bytes_out;
    double error, energy;
};

static void add_item(struct sum *sum, const struct job *job, const struct quant_item *item)
{
    sum->tensors++;
    sum->parameters += job_tensor(job, item)->elements;
    sum->bytes_in += job_tensor(job, item)->bytes;
    sum->bytes_out += job_item_bytes(job, item);
    sum->error += item->error;
    sum->energy += item->energy;
}

static double bits_of(const struct sum *sum)
{
    return sum->parameters ? 8 * (double)sum->bytes_out / (double)sum->parameters : 0;
}

static double rmse_of(const struct sum *sum)
{
    struct quant_item whole = {.error = sum->error, .energy = sum->energy};
    return quant_item_rmse(&whole);
}

static bool was_converted(const struct job *job, const struct quant_item *item)
{
    return item->choice.type != job_tensor(job, item)->type;
}

/* ---- By type -------------------------------------------------------------------------- */

static struct sum sum_of_type(const struct job *job, uint32_t type)
{
    struct sum sum = {0};
    for (size_t i = 0; i < job->n_items; i++) {
        if (job->items[i].choice.type == type)
            add_item(&sum, job, &job->items[i]);
    }
    return sum;
}

static struct sum sum_of_all(const struct job *job)
{
    struct sum sum = {0};
    for (size_t i = 0; i < job->n_items; i++)
        add_item(&sum, job, &job->items[i]);
    return sum;
}

static void table_sum(struct table *table, const char *name, const struct sum *sum)
{
    table_cell(table, name);
    table_cellf(table, "%" PRIu64, sum->tensors);
    table_cell(table, term_count(sum->parameters).text);
    table_cell(table, term_bytes(sum->bytes_in).text);
    table_cell(table, term_bytes(sum->bytes_out).text);
    table_cellf(table, "%.2f", bits_of(sum));
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
    table_print(table, stdout, 2, true);
    table_free(table);
}

/* ---- By group -----------------------------------------------------------------------------
 */

/* "blk.12.ffn_down.weight" belongs to "ffn_down", "output.weight" to "output". */
static struct gguf_str group_of(struct gguf_str name)
{
    const char *p = name.data, *end = name.data + name.size;
    if (name.size > 4 && memcmp(p, "blk.", 4) == 0) {
        p += 4;
        while (p < end && *p >= '0' && *p <= '9')
            p++;
        p += p < end && *p == '.';
    }
    if (end - p > 7 && memcmp(end - 7, ".weight", 7) == 0)
        end -= 7;
    return (struct gguf_str){p, (size_t)(end - p)};
}

static bool same_group(const struct job *job, size_t a, size_t b)
{
    struct gguf_str x = group_of(job_tensor(job, &job->items[a])->name);
    struct gguf_str y = group_of(job_tensor(job, &job->items[b])->name);
    return x.size == y.size && memcmp(x.data, y.data, x.size) == 0;
}

/* Adds "Q6_K" to a list "Q4_K, Q5_K" that does not have it. */
static void add_type(char *list, size_t size, uint32_t type)
{
    const char *name = type_name(type);
    const char *found = strstr(list, name);
    size_t n = strlen(name), used = strlen(list);
    if (found && (found[n] == '\0' || found[n] == ','))
        return;
    snprintf(list + used, size - used, "%s%s", used ? ", " : "", name);
}

/* The row of the group whose first member is item `first`. */
static void table_group(struct table *table, const struct job *job, size_t first)
{
    struct sum sum = {0};
    char types[128] = "";
    for (size_t i = first; i < job->n_items; i++) {
        if (!was_converted(job, &job->items[i]) || !same_group(job, first, i))
            continue;
        add_item(&sum, job, &job->items[i]);
        add_type(types, sizeof types, job->items[i].choice.type);
    }
    table_cell_str(table, group_of(job_tensor(job, &job->items[first])->name), 60);
    table_cellf(table, "%" PRIu64, sum.tensors);
    table_cell(table, types);
    table_cellf(table, "%.2f", bits_of(&sum));
    if (job->request->dry_run)
        table_cell(table, "");
    else
        table_cellf(table, "%.5f", rmse_of(&sum));
}

static bool is_first_of_group(const struct job *job, size_t index)
{
    for (size_t i = 0; i < index; i++) {
        if (was_converted(job, &job->items[i]) && same_group(job, i, index))
            return false;
    }
    return true;
}

static void print_groups(const struct job *job)
{
    struct table *table = table_new("lrlrr");
    size_t rows = 0;
    table_cell(table, "group");
    table_cell(table, "tensors");
    table_cell(table, "types");
    table_cell(table, "bits per weight");
    table_cell(table, job->request->dry_run ? "" : "relative RMSE");
    for (size_t i = 0; i < job->n_items; i++) {
        if (was_converted(job, &job->items[i]) && is_first_of_group(job, i)) {
            table_group(table, job, i);
            rows++;
        }
    }
    if (rows) {
        putchar('\n');
        table_print(table, stdout, 2, true);
    }
    table_free(table);
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
    if (!worst)
        return;
    printf("\n  worst tensor: ");
    term_print_str(stdout, job_tensor(job, worst)->name, 80);
    printf(" (%s), relative RMSE %.5f\n", type_name(worst->choice.type),
           quant_item_rmse(worst));
}

/* ---- Fallbacks
 * -------------------------------------------------------------------------------- */

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
    cli_warning(
        "%zu of %zu tensors got another type, as their rows do not divide into blocks of "
        "the wanted one:",
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

/* ---- Whole reports
 * ------------------------------------------------------------------------------ */

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

void report_text(const struct job *job)
{
    size_t files = gguf_writer_file_count(job->writer);
    print_heading(job);
    print_types(job);
    print_groups(job);
    if (!job->request->dry_run)
        print_worst(job);
    printf("\n  in   %s\n", term_bytes_exact(job->input_bytes).text);
    printf("  out  %s, %.1f %% of the input", term_bytes_exact(job->output_bytes).text,
           100 * (double)job->output_bytes / (double)job->input_bytes);
    if (files > 1)
        printf(", in %zu files", files);
    printf("\n");
}

static const char *reason_name(enum quant_reason reason)
{
    static const char *const names[] = {[QUANT_KEPT] = "kept",
                                        [QUANT_MIXED] = "mix",
                                        [QUANT_OVERRIDDEN] = "option",
                                        [QUANT_FALLBACK] = "fallback"};
    return names[reason];
}

static void json_tensor(cJSON *array, const struct job *job, const struct quant_item *item)
{
    const struct gguf_tensor *t = job_tensor(job, item);
    cJSON *o = json_add_object(array, NULL);
    json_str(o, "name", t->name);
    cJSON *shape = json_add_array(o, "shape");
    for (uint32_t d = 0; d < t->n_dims; d++)
        json_u64(shape, NULL, t->ne[d]);
    json_text(o, "from", type_name(t->type));
    json_text(o, "type", type_name(item->choice.type));
    json_text(o, "wanted", type_name(item->choice.wanted));
    json_text(o, "reason", reason_name(item->choice.reason));
    json_bool(o, "fallback", item->choice.reason == QUANT_FALLBACK);
    json_bool(o, "importance", item->importance != NULL);
    json_u64(o, "bytes_in", t->bytes);
    json_u64(o, "bytes_out", job_item_bytes(job, item));
    if (!job->request->dry_run)
        json_f64(o, "relative_rmse", quant_item_rmse(item));
}

static void json_types(cJSON *root, const struct job *job)
{
    cJSON *array = json_add_array(root, "types");
    for (size_t i = 0; gguf_type_at(i); i++) {
        struct sum sum = sum_of_type(job, gguf_type_at(i)->id);
        if (sum.tensors == 0)
            continue;
        cJSON *o = json_add_object(array, NULL);
        json_text(o, "type", gguf_type_at(i)->name);
        json_u64(o, "tensors", sum.tensors);
        json_u64(o, "parameters", sum.parameters);
        json_u64(o, "bytes_in", sum.bytes_in);
        json_u64(o, "bytes_out", sum.bytes_out);
    }
}

static void json_lists(cJSON *root, const struct job *job)
{
    json_types(root, job);
    cJSON *fallbacks = json_add_array(root, "fallbacks");
    cJSON *tensors = json_add_array(root, "tensors");
    for (size_t i = 0; i < job->n_items; i++) {
        if (job->items[i].choice.reason == QUANT_FALLBACK)
            json_str(fallbacks, NULL, job_tensor(job, &job->items[i])->name);
        json_tensor(tensors, job, &job->items[i]);
    }
    cJSON *files = json_add_array(root, "files");
    for (size_t i = 0; i < gguf_writer_file_count(job->writer); i++) {
        const char *path = gguf_writer_file_path(job->writer, i);
        if (path)
            json_text(files, NULL, path);
    }
}

void report_json(const struct job *job)
{
    const struct request *r = job->request;
    struct sum all = sum_of_all(job);
    cJSON *root = json_object();
    json_text(root, "input", r->input);
    if (r->output)
        json_text(root, "output", r->output);
    else
        json_null(root, "output");
    json_text(root, "type", r->recipe.mix->name);
    if (r->recipe.mix->file_type != QUANT_TYPE_NONE)
        json_u64(root, "file_type", r->recipe.mix->file_type);
    json_bool(root, "dry_run", r->dry_run);
    json_u64(root, "parameters", all.parameters);
    json_u64(root, "input_bytes", job->input_bytes);
    json_u64(root, "output_bytes", job->output_bytes);
    json_f64(root, "bits_per_weight", bits_of(&all));
    if (!r->dry_run) {
        json_f64(root, "relative_rmse", rmse_of(&all));
        json_f64(root, "seconds", job->seconds);
        json_bool(root, "verified", r->verify);
    }
    if (r->imatrix) {
        cJSON *imatrix = json_add_object(root, "imatrix");
        json_text(imatrix, "file", r->imatrix);
        json_u64(imatrix, "entries", job->imatrix_entries);
    }
    json_lists(root, job);
    json_print(root);
}
