/* Keeping the errors in a file, and comparing with it. */
#include "tests/bench/results.h"

#include "libgguf/gguf.h"
#include "quant/quant.h"
#include "tests/bench/measure.h"
#include "tools/common/cli.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HEADING   "set,type,preset,imatrix,rmse,wrmse"
#define TOLERANCE 1e-6 /* relative; the file has eight digits */

struct row {
    char key[64]; /* "golden,Q4_K,fast,no" */
    double rmse, weighted_rmse;
    bool seen;
};

struct rows {
    struct row *row;
    size_t n;
};

/* ---- The file ------------------------------------------------------------------------- */

static struct row *add_row(struct rows *rows, const char *key, size_t key_length)
{
    rows->row = cli_grow(rows->row, rows->n + 1, sizeof *rows->row);
    struct row *row = &rows->row[rows->n++];
    *row = (struct row){.rmse = 0};
    snprintf(row->key, sizeof row->key, "%.*s", (int)key_length, key);
    return row;
}

/* The position after the `n`th comma; NULL if there are fewer. */
static const char *after_comma(const char *line, int n)
{
    for (; line && n; n--) {
        line = strchr(line, ',');
        line = line ? line + 1 : NULL;
    }
    return line;
}

static void parse_row(struct rows *rows, const char *path, const char *line)
{
    const char *numbers = after_comma(line, 4);
    char *end = NULL;
    if (!numbers)
        cli_die("%s: expected %s, found \"%s\"", path, HEADING, line);
    struct row *row = add_row(rows, line, (size_t)(numbers - line) - 1);
    row->rmse = strtod(numbers, &end);
    if (*end != ',')
        cli_die("%s: expected two numbers at the end of \"%s\"", path, line);
    row->weighted_rmse = strtod(end + 1, &end);
}

static struct rows read_rows(const char *path)
{
    struct rows rows = {0};
    char line[256];
    FILE *file = fopen(path, "r");
    while (file && fgets(line, sizeof line, file)) {
        line[strcspn(line, "\n")] = '\0';
        if (strcmp(line, HEADING) != 0)
            parse_row(&rows, path, line);
    }
    if (file)
        fclose(file);
    return rows;
}

static bool write_rows(const char *path, const struct rows *rows)
{
    FILE *file = fopen(path, "w");
    if (!file)
        return false;
    fprintf(file, HEADING "\n");
    for (size_t i = 0; i < rows->n; i++)
        fprintf(file, "%s,%.8g,%.8g\n", rows->row[i].key, rows->row[i].rmse,
                rows->row[i].weighted_rmse);
    return fclose(file) == 0;
}

/* ---- Measuring -------------------------------------------------------------------------- */

static void measure_case(struct rows *rows, const struct bench_set *set,
                         const struct bench_case *c)
{
    struct bench_result result = bench_measure(set, c);
    struct bench_means means = bench_result_means(&result);
    char key[64];
    int length =
        snprintf(key, sizeof key, "%s,%s,%s,%s", set->name, gguf_type_find(c->type)->name,
                 quant_preset_name(c->preset), c->imatrix ? "yes" : "no");
    struct row *row = add_row(rows, key, (size_t)length);
    row->rmse = means.rmse;
    row->weighted_rmse = means.weighted_rmse;
    bench_result_free(&result);
}

static bool belongs(const struct row *row, const char *set)
{
    size_t n = strlen(set);
    return strncmp(row->key, set, n) == 0 && row->key[n] == ',';
}

/* Rows of a set whose files are absent are copied from `old`. */
static struct rows measure_sets(const char *name, const struct rows *old)
{
    struct rows rows = {0};
    struct bench_set set;
    struct bench_case c;
    for (size_t i = 0; bench_set_load(&set, i); i++) {
        bool wanted = !name || strcmp(name, set.name) == 0;
        for (size_t k = 0; wanted && set.n && bench_case_at(&c, quant_cpu_best(), k); k++)
            measure_case(&rows, &set, &c);
        for (size_t k = 0; wanted && !set.n && k < old->n; k++)
            if (belongs(&old->row[k], set.name))
                *add_row(&rows, "", 0) = old->row[k];
        bench_set_free(&set);
    }
    return rows;
}

/* ---- Comparing ---------------------------------------------------------------------- */

static struct row *find_row(const struct rows *rows, const char *key)
{
    for (size_t i = 0; i < rows->n; i++)
        if (strcmp(rows->row[i].key, key) == 0)
            return &rows->row[i];
    return NULL;
}

static void compare_number(const char *key, const char *what, const double value[2],
                           struct bench_outcome *outcome)
{
    double was = value[0], is = value[1];
    if (is > was * (1 + TOLERANCE)) {
        printf("worse: %s: %s is %.8g, was %.8g\n", key, what, is, was);
        outcome->worse++;
    } else if (is < was * (1 - TOLERANCE)) {
        outcome->better++;
    }
}

static struct bench_outcome compare_rows(const struct rows *old, const struct rows *now,
                                         const char *set)
{
    struct bench_outcome outcome = {0};
    for (size_t i = 0; i < now->n; i++) {
        const struct row *is = &now->row[i];
        struct row *was = find_row(old, is->key);
        if (!was) {
            if (old->n) /* a file without rows is no news of each */
                printf("missing: %s\n", is->key);
            outcome.missing++;
            continue;
        }
        was->seen = true;
        outcome.compared++;
        compare_number(is->key, "rmse", (double[]){was->rmse, is->rmse}, &outcome);
        compare_number(is->key, "wrmse", (double[]){was->weighted_rmse, is->weighted_rmse},
                       &outcome);
    }
    for (size_t i = 0; i < old->n; i++) {
        if (old->row[i].seen || (set && !belongs(&old->row[i], set)))
            continue;
        printf("stale: %s\n", old->row[i].key);
        outcome.stale++;
    }
    return outcome;
}

struct bench_outcome bench_results_compare(const char *path, const char *set)
{
    struct rows old = read_rows(path), now = measure_sets(set, &old);
    struct bench_outcome outcome = compare_rows(&old, &now, set);
    free(old.row);
    free(now.row);
    return outcome;
}

static void print_outcome(const struct bench_outcome *o)
{
    printf("%zu rows compared: %zu numbers worse, %zu better; %zu rows missing, %zu stale\n",
           o->compared, o->worse, o->better, o->missing, o->stale);
}

int bench_results_check(const char *path)
{
    struct bench_outcome outcome = bench_results_compare(path, NULL);
    print_outcome(&outcome);
    return outcome.worse || outcome.missing || outcome.stale ? CLI_NO : CLI_OK;
}

int bench_results_write(const char *path, bool force)
{
    struct rows old = read_rows(path), now = measure_sets(NULL, &old);
    struct bench_outcome outcome = compare_rows(&old, &now, NULL);
    int code = CLI_OK;
    print_outcome(&outcome);
    if (outcome.worse && !force) {
        cli_error("%s stays as it is, because something got worse; --force writes it", path);
        code = CLI_NO;
    } else if (!write_rows(path, &now)) {
        cli_error("cannot write %s", path);
        code = CLI_TROUBLE;
    }
    free(old.row);
    free(now.row);
    return code;
}
