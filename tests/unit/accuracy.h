/* The measured data that estimates are compared with: rows of a CSV file. */
#ifndef TESTS_ACCURACY_H
#define TESTS_ACCURACY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MEASURED     "../shared/data/estimates_measured.csv"
#define SPEED_MODELS "tests/data/speed_models.csv"

enum { CSV_FIELDS = 10, CSV_ROWS = 4000, CSV_LINE = 2048 };

struct csv_row {
    char line[CSV_LINE];
    const char *field[CSV_FIELDS];
};
struct csv {
    struct csv_row *rows;
    size_t n;
};
enum { SOURCE, MODEL, PARAMS, QUANT, CTX, UBATCH, FLASH, METRIC, VALUE, UNIT };

/* Cuts a line at its commas, but not inside quotes. */
static inline void csv_split(struct csv_row *row)
{
    size_t n = 0;
    char *to = row->line;
    bool quoted = false;
    for (size_t i = 0; i < CSV_FIELDS; i++)
        row->field[i] = "";
    row->field[n++] = to;
    for (const char *p = row->line; *p && *p != '\n' && *p != '\r'; p++) {
        if (*p == '"') {
            quoted = !quoted;
        } else if (*p == ',' && !quoted) {
            *to++ = '\0';
            if (n < CSV_FIELDS)
                row->field[n++] = to;
        } else {
            *to++ = *p;
        }
    }
    *to = '\0';
}

/* Rows of the file but comments; none where there is no file. */
static inline struct csv csv_read(const char *path)
{
    struct csv csv = {calloc(CSV_ROWS, sizeof *csv.rows), 0};
    FILE *f = csv.rows ? fopen(path, "r") : NULL;
    while (f && csv.n < CSV_ROWS && fgets(csv.rows[csv.n].line, CSV_LINE, f)) {
        if (csv.rows[csv.n].line[0] != '#')
            csv_split(&csv.rows[csv.n++]);
    }
    if (f)
        fclose(f);
    return csv;
}

/* The number after "name=" among the parameters; `otherwise` where there is none. */
static inline double csv_param(const struct csv_row *row, const char *name, double otherwise)
{
    char key[40];
    char *end;
    snprintf(key, sizeof key, "%s=", name);
    const char *at = strstr(row->field[PARAMS], key);
    double value = at ? strtod(at + strlen(key), &end) : 0;
    return at && end != at + strlen(key) ? value : otherwise;
}

static inline bool csv_has(const struct csv_row *row, int field, const char *text)
{
    return strstr(row->field[field], text) != NULL;
}

/* Counts of how well estimates agree. */
struct score {
    const char *name;
    size_t n, exact, close, near, inside;
    double errors[CSV_ROWS];
};

static inline int compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static inline double score_quantile(struct score *s, double q)
{
    if (s->n == 0)
        return 0;
    qsort(s->errors, s->n, sizeof s->errors[0], compare_doubles);
    return s->errors[(size_t)(q * (double)(s->n - 1) + 0.5)];
}

static inline void score_add(struct score *s, double expected, double measured, bool inside)
{
    double error = measured != 0 ? (expected - measured) / measured : 1;
    error = error < 0 ? -error : error;
    double distance = expected < measured ? measured - expected : expected - measured;
    s->exact += distance <= 0.0151;
    s->close += error <= 0.02;
    s->near += error <= 0.15;
    s->inside += inside || error <= 0.15;
    s->errors[s->n++] = error;
}

#endif
