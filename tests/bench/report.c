/* The tables of bench_quant. */
#include "tests/bench/report.h"

#include "libgguf/gguf.h"
#include "tools/common/json.h"
#include "tools/common/term.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static const char *type_name(uint32_t type)
{
    return gguf_type_find(type)->name;
}

/* ---- Speed ----------------------------------------------------------------------------- */

static void speed_cells(struct bench_sheet *sheet, const double speed[2])
{
    for (int i = 0; i < 2; i++) {
        if (speed[i] > 0)
            bench_cell(sheet, "%.*f", speed[i] < 100 ? 1 : 0, speed[i]);
        else
            bench_cell(sheet, "-");
    }
}

static void print_floor(struct bench_sheet *sheet, const char *type, const char *what,
                        const double speed[2])
{
    static const double none[2];
    bench_cell(sheet, "%s", type);
    bench_cell(sheet, "%s", what);
    speed_cells(sheet, speed);
    speed_cells(sheet, none);
    speed_cells(sheet, none);
}

static void print_speeds(const struct bench_report *r)
{
    static const char *const headings[] = {"type",    "preset", "1 thread", "all",
                                           "imatrix", "all",    "decode",   "all"};
    puts("Speed, million weights a second\n");
    struct bench_sheet sheet = bench_sheet_begin("llrrrrrr", r->output == BENCH_MARKDOWN);
    for (size_t i = 0; i < 8; i++)
        bench_cell(&sheet, "%s", headings[i]);
    print_floor(&sheet, "F32", "memcpy", r->memcpy_speed);
    size_t f = 0;
    for (size_t i = 0; i < r->n_speeds; i++) {
        const struct bench_speed *s = &r->speeds[i];
        if (f < r->n_rounding && r->rounding[f].type == s->type) {
            print_floor(&sheet, type_name(s->type), "rounding", r->rounding[f].speed);
            f++;
        }
        bench_cell(&sheet, "%s", type_name(s->type));
        bench_cell(&sheet, "%s", quant_preset_name(s->preset));
        speed_cells(&sheet, s->plain);
        speed_cells(&sheet, s->imatrix);
        speed_cells(&sheet, s->decode);
    }
    bench_sheet_end(&sheet);
}

/* ---- Errors ------------------------------------------------------------------------------ */

static void case_cells(struct bench_sheet *sheet, const struct bench_case *c)
{
    bench_cell(sheet, "%s", type_name(c->type));
    bench_cell(sheet, "%s", quant_preset_name(c->preset));
    bench_cell(sheet, "%s", c->imatrix ? "yes" : "-");
}

static void difference_cell(struct bench_sheet *sheet, const struct bench_error *ours,
                            const struct bench_error *other, bool present)
{
    double difference = present ? bench_difference(ours, other) : NAN;
    if (isnan(difference))
        bench_cell(sheet, "-");
    else
        bench_cell(sheet, "%+.2f", difference);
}

/* What a table shows of each group. */
enum measure { PLAIN, WEIGHTED, DIFFERENCE };

static void group_cell(struct bench_sheet *sheet, const struct bench_errors *e,
                       enum measure measure)
{
    if (measure == DIFFERENCE)
        difference_cell(sheet, &e->ours, &e->reference, e->has_reference);
    else
        bench_cell(sheet, "%.3g",
                   measure == PLAIN ? bench_rmse(&e->ours) : bench_weighted_rmse(&e->ours));
}

/* "blk.1.ffn_up.weight" is ffn_up. */
static void heading_cell(struct bench_sheet *sheet, const char *name)
{
    const char *from = strncmp(name, "blk.", 4) == 0 ? strchr(name + 4, '.') + 1 : name;
    bench_cell(sheet, "%.*s", (int)strcspn(from, "."), from);
}

static void print_groups(const struct bench_report *r, const struct bench_set *set,
                         enum measure measure)
{
    static const char *const titles[] = {"relative RMSE of each group",
                                         "weighted relative RMSE of each group",
                                         "weighted RMSE against the reference, per cent"};
    char columns[64] = "lll";
    size_t n = set->n < 60 ? set->n : 60;
    memset(columns + 3, 'r', n);
    printf("%s: %s\n\n", set->name, titles[measure]);
    struct bench_sheet sheet = bench_sheet_begin(columns, r->output == BENCH_MARKDOWN);
    bench_cell(&sheet, "type");
    bench_cell(&sheet, "preset");
    bench_cell(&sheet, "imatrix");
    for (size_t g = 0; g < n; g++)
        heading_cell(&sheet, set->groups[g].name);
    for (size_t i = 0; i < r->n_results; i++) {
        if (r->results[i].set != set)
            continue;
        case_cells(&sheet, &r->results[i].c);
        for (size_t g = 0; g < n; g++)
            group_cell(&sheet, &r->results[i].groups[g], measure);
    }
    bench_sheet_end(&sheet);
}

/* The mean over the ordinary groups of the logarithm of the ratio, as a percentage: no group
 * outweighs another. NAN without a reference. */
static double mean_difference(const struct bench_result *result)
{
    double sum = 0;
    int n = 0;
    for (size_t g = 0; g < result->set->n; g++) {
        const struct bench_errors *e = &result->groups[g];
        double difference = bench_difference(&e->ours, &e->reference);
        if (!result->set->groups[g].ordinary || !e->has_reference || !isfinite(difference))
            continue;
        sum += log1p(difference / 100);
        n++;
    }
    return n ? 100 * expm1(sum / n) : NAN;
}

static void total_row(struct bench_sheet *sheet, const struct bench_result *result)
{
    const struct bench_errors *e = &result->total;
    double mean = mean_difference(result);
    case_cells(sheet, &result->c);
    bench_cell(sheet, "%.5g", bench_rmse(&e->ours));
    bench_cell(sheet, "%.5g", bench_weighted_rmse(&e->ours));
    difference_cell(sheet, &e->ours, &e->rounded, e->has_rounded);
    difference_cell(sheet, &e->ours, &e->reference, e->has_reference);
    if (isnan(mean))
        bench_cell(sheet, "-");
    else
        bench_cell(sheet, "%+.2f", mean);
}

static void print_totals(const struct bench_report *r, const struct bench_set *set)
{
    static const char *const headings[] = {"type",  "preset",     "imatrix",     "rmse",
                                           "wrmse", "rounding %", "reference %", "mean %"};
    printf("%s: errors of all rows, and the weighted one against others\n\n", set->name);
    struct bench_sheet sheet = bench_sheet_begin("lllrrrrr", r->output == BENCH_MARKDOWN);
    for (size_t i = 0; i < sizeof headings / sizeof headings[0]; i++)
        bench_cell(&sheet, "%s", headings[i]);
    for (size_t i = 0; i < r->n_results; i++)
        if (r->results[i].set == set)
            total_row(&sheet, &r->results[i]);
    bench_sheet_end(&sheet);
}

static void print_machine(const struct bench_report *r)
{
    char processor[128];
    bench_processor(processor, sizeof processor);
    printf("%s, kernels %s, %s.", processor, quant_cpu_name(r->cpu), bench_compiler());
    if (r->n_speeds)
        printf(
            " 1 thread and all (%d). The best of several passes over 1 M weights; the median "
            "pass was %.0f %% slower. Load of the machine before: %.1f.",
            r->threads, 100 * r->slower, r->load);
    printf("\n\n");
}

void bench_report_print(const struct bench_report *r)
{
    print_machine(r);
    if (r->n_speeds)
        print_speeds(r);
    for (size_t i = 0; i < r->n_sets; i++) {
        const struct bench_set *set = &r->sets[i];
        if (!set->n || !r->n_results)
            continue;
        print_totals(r, set);
        if (set->has_reference)
            print_groups(r, set, DIFFERENCE);
        if (r->classes) {
            print_groups(r, set, PLAIN);
            print_groups(r, set, WEIGHTED);
        }
    }
}

/* ---- JSON --------------------------------------------------------------------------- */

static void json_pair(cJSON *parent, const char *key, const double speed[2])
{
    cJSON *array = json_add_array(parent, key);
    json_f64(array, NULL, speed[0]);
    json_f64(array, NULL, speed[1]);
}

static void json_speeds(cJSON *root, const struct bench_report *r)
{
    json_f64(root, "median_slower", r->slower);
    json_pair(root, "memcpy", r->memcpy_speed);
    cJSON *rounding = json_add_object(root, "rounding");
    for (size_t i = 0; i < r->n_rounding; i++)
        json_pair(rounding, type_name(r->rounding[i].type), r->rounding[i].speed);
    cJSON *speeds = json_add_array(root, "speeds");
    for (size_t i = 0; i < r->n_speeds; i++) {
        const struct bench_speed *s = &r->speeds[i];
        cJSON *item = json_add_object(speeds, NULL);
        json_text(item, "type", type_name(s->type));
        json_text(item, "preset", quant_preset_name(s->preset));
        json_pair(item, "encode", s->plain);
        json_pair(item, "encode_imatrix", s->imatrix);
        json_pair(item, "decode", s->decode);
    }
}

static void json_errors(cJSON *item, const struct bench_errors *e)
{
    json_f64(item, "rmse", bench_rmse(&e->ours));
    json_f64(item, "wrmse", bench_weighted_rmse(&e->ours));
    if (e->has_rounded)
        json_f64(item, "rounding_wrmse", bench_weighted_rmse(&e->rounded));
    if (e->has_reference) {
        json_f64(item, "reference_rmse", bench_rmse(&e->reference));
        json_f64(item, "reference_wrmse", bench_weighted_rmse(&e->reference));
        json_f64(item, "difference_percent", bench_difference(&e->ours, &e->reference));
    }
}

static void json_result(cJSON *array, const struct bench_result *result)
{
    cJSON *item = json_add_object(array, NULL);
    json_text(item, "set", result->set->name);
    json_text(item, "type", type_name(result->c.type));
    json_text(item, "preset", quant_preset_name(result->c.preset));
    json_bool(item, "imatrix", result->c.imatrix);
    json_errors(json_add_object(item, "total"), &result->total);
    double mean = mean_difference(result);
    if (!isnan(mean))
        json_f64(item, "mean_difference_percent", mean);
    cJSON *groups = json_add_object(item, "groups");
    for (size_t g = 0; g < result->set->n; g++)
        json_errors(json_add_object(groups, result->set->groups[g].name), &result->groups[g]);
}

void bench_report_json(const struct bench_report *r)
{
    char processor[128];
    bench_processor(processor, sizeof processor);
    cJSON *root = json_object();
    json_text(root, "processor", processor);
    json_text(root, "kernels", quant_cpu_name(r->cpu));
    json_text(root, "compiler", bench_compiler());
    json_u64(root, "threads", (uint64_t)r->threads);
    json_f64(root, "load", r->load);
    if (r->n_speeds)
        json_speeds(root, r);
    cJSON *errors = json_add_array(root, "errors");
    for (size_t i = 0; i < r->n_results; i++)
        json_result(errors, &r->results[i]);
    json_print(root);
}
