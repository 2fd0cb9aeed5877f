/* Units, tables, bars and progress: see term.h. */
#include "tools/common/term.h"
#include "tools/common/cli.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* ---- Terminal ------------------------------------------------------------------------ */

bool term_color(FILE *stream, bool no_color)
{
    const char *term = getenv("TERM");
    const char *off = getenv("NO_COLOR");
    return !no_color && !(off && *off) && term && strcmp(term, "dumb") != 0 &&
           isatty(fileno(stream));
}

/* The escaped form never has more than eight bytes for one of the input, and what does
 * not fit within `limit` is not needed. */
static char *escaped(struct gguf_str s, size_t limit)
{
    if (s.size > SIZE_MAX / 8 - 1)
        cli_die_memory();
    size_t size = s.size * 8 + 1;
    if (limit && size > limit + 1)
        size = limit + 1;
    char *text = cli_alloc(size < 4 ? 4 : size, 1);
    gguf_str_escape(text, size < 4 ? 4 : size, s);
    return text;
}

void term_print_str(FILE *stream, struct gguf_str s, size_t limit)
{
    char *text = escaped(s, limit);
    fputs(text, stream);
    free(text);
}

double term_seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* ---- Units ----------------------------------------------------------------------- */

/* Three significant digits: 7.24, 72.4, 724. */
static void three_digits(char *out, size_t size, double value, const char *unit)
{
    int decimals = value < 9.995 ? 2 : value < 99.95 ? 1 : 0;
    snprintf(out, size, "%.*f%s", decimals, value, unit);
}

/* A count in the largest unit in which it is at least 1; units are `base` apart. */
static struct term_text scaled(uint64_t count, double base, const char *const *units, size_t n)
{
    struct term_text t = {""};
    double value = (double)count;
    size_t u = 0;
    while (value >= base - 0.5 && u + 1 < n) {
        value /= base;
        u++;
    }
    if (u == 0)
        snprintf(t.text, sizeof t.text, "%llu%s", (unsigned long long)count, units[0]);
    else
        three_digits(t.text, sizeof t.text, value, units[u]);
    return t;
}

struct term_text term_bytes(uint64_t bytes)
{
    static const char *const units[] = {" B", " KiB", " MiB", " GiB", " TiB", " PiB", " EiB"};
    return scaled(bytes, 1024, units, sizeof units / sizeof units[0]);
}

struct term_text term_count(uint64_t count)
{
    static const char *const units[] = {"", "K", "M", "B", "T", "Q", "E"};
    return scaled(count, 1000, units, sizeof units / sizeof units[0]);
}

struct term_text term_bytes_exact(uint64_t bytes)
{
    struct term_text t = {""};
    if (bytes < 1024)
        return term_bytes(bytes);
    snprintf(t.text, sizeof t.text, "%.24s (%.28s bytes)", term_bytes(bytes).text,
             term_grouped(bytes).text);
    return t;
}

struct term_text term_grouped(uint64_t count)
{
    struct term_text t = {""};
    char digits[32];
    int n = snprintf(digits, sizeof digits, "%llu", (unsigned long long)count);
    size_t used = 0;
    for (int i = 0; i < n; i++) {
        if (i > 0 && (n - i) % 3 == 0)
            t.text[used++] = ',';
        t.text[used++] = digits[i];
    }
    t.text[used] = '\0';
    return t;
}

void term_bar(char *out, size_t out_size, double share, int width)
{
    static const char *const eighths[] = {"", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};
    share = share >= 0 ? (share <= 1 ? share : 1) : 0;
    int filled = (int)(share * width * 8 + 0.5);
    int blanks = width - filled / 8 - (filled % 8 != 0);
    size_t used = 0;
    out[0] = '\0';
    for (int i = 0; i < filled / 8 && used + 4 <= out_size; i++)
        used += (size_t)snprintf(out + used, out_size - used, "█");
    if (used + 4 <= out_size)
        used += (size_t)snprintf(out + used, out_size - used, "%s", eighths[filled % 8]);
    if (blanks > 0 && used + (size_t)blanks < out_size)
        snprintf(out + used, out_size - used, "%*s", blanks, "");
}

/* ---- Tables ---------------------------------------------------------------------- */

struct table {
    const char *columns;
    size_t n_columns;
    char **cells;
    size_t n_cells, capacity;
};

struct table *table_new(const char *columns)
{
    struct table *t = cli_alloc(1, sizeof *t);
    t->columns = columns;
    t->n_columns = strlen(columns);
    return t;
}

void table_free(struct table *table)
{
    if (!table)
        return;
    for (size_t i = 0; i < table->n_cells; i++)
        free(table->cells[i]);
    free(table->cells);
    free(table);
}

static void add_cell(struct table *table, char *text)
{
    if (table->n_cells == table->capacity) {
        table->capacity = table->capacity ? table->capacity * 2 : 64;
        table->cells = cli_grow(table->cells, table->capacity, sizeof *table->cells);
    }
    table->cells[table->n_cells++] = text;
}

void table_cell(struct table *table, const char *text)
{
    size_t n = strlen(text) + 1;
    char *copy = cli_alloc(n, 1);
    memcpy(copy, text, n);
    add_cell(table, copy);
}

void table_cellf(struct table *table, const char *format, ...)
{
    char text[512];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    table_cell(table, text);
}

void table_cell_str(struct table *table, struct gguf_str s, size_t limit)
{
    add_cell(table, escaped(s, limit));
}

static size_t code_points(const char *text)
{
    size_t n = 0;
    for (; *text; text++)
        n += ((unsigned char)*text & 0xc0) != 0x80;
    return n;
}

static void print_repeated(FILE *stream, const char *text, size_t n)
{
    while (n--)
        fputs(text, stream);
}

static void print_row(const struct table *t, FILE *stream, size_t first, const size_t *widths)
{
    size_t owed = 0; /* blanks that are only written when text follows */
    for (size_t c = 0; c < t->n_columns && first + c < t->n_cells; c++) {
        const char *text = t->cells[first + c];
        size_t fill = widths[c] - code_points(text);
        bool right = t->columns[c] == 'r';
        owed += (c ? 2 : 0) + (right ? fill : 0);
        if (*text) {
            print_repeated(stream, " ", owed);
            fputs(text, stream);
            owed = 0;
        }
        owed += right ? 0 : fill;
    }
    fputc('\n', stream);
}

void table_print(const struct table *table, FILE *stream, int indent, bool heading)
{
    if (table->n_columns == 0)
        return;
    size_t *widths = cli_alloc(table->n_columns, sizeof *widths);
    size_t all = 2 * (table->n_columns - 1);
    for (size_t i = 0; i < table->n_cells; i++) {
        size_t n = code_points(table->cells[i]);
        if (n > widths[i % table->n_columns])
            widths[i % table->n_columns] = n;
    }
    for (size_t c = 0; c < table->n_columns; c++)
        all += widths[c];
    for (size_t i = 0; i < table->n_cells; i += table->n_columns) {
        print_repeated(stream, " ", (size_t)indent);
        print_row(table, stream, i, widths);
        if (heading && i == 0) {
            print_repeated(stream, " ", (size_t)indent);
            print_repeated(stream, "─", all);
            fputc('\n', stream);
        }
    }
    free(widths);
}

/* ---- Progress -------------------------------------------------------------------- */

void progress_start(struct progress *progress, const char *unit, uint64_t total, bool quiet)
{
    *progress = (struct progress){.unit = unit,
                                  .total = total,
                                  .started = term_seconds(),
                                  .terminal = isatty(STDERR_FILENO) == 1,
                                  .quiet = quiet};
}

static bool is_due(struct progress *p, double now)
{
    if (p->terminal)
        return now - p->shown >= 0.1;
    int tenth = p->total ? (int)((double)p->done / (double)p->total * 10) : 10;
    return tenth > p->shown_tenth && now - (p->shown > 0 ? p->shown : p->started) >= 2;
}

void progress_update(struct progress *progress, uint64_t done, struct gguf_str what)
{
    progress->done = done;
    double now = term_seconds();
    if (progress->quiet || !is_due(progress, now))
        return;
    double seconds = now - progress->started;
    double share = progress->total ? (double)done / (double)progress->total : 1;
    double rate = seconds > 0 ? (double)done / seconds : 0;
    double left = rate > 0 ? (double)(progress->total - done) / rate : 0;
    const char *unit = progress->unit;
    struct term_text speed = unit ? term_count((uint64_t)rate) : term_bytes((uint64_t)rate);
    char name[48];
    gguf_str_escape(name, sizeof name, what);
    fprintf(stderr, "%s%3.0f %%  %s%s%s/s  ETA %d:%02d  %s%s", progress->terminal ? "\r" : "",
            share * 100, speed.text, unit ? " " : "", unit ? unit : "", (int)left / 60,
            (int)left % 60, name, progress->terminal ? "\033[K" : "\n");
    fflush(stderr);
    progress->shown = now;
    progress->shown_tenth = (int)(share * 10);
}

void progress_end(struct progress *progress)
{
    if (!progress->quiet && progress->terminal && progress->shown > 0)
        fputs("\r\033[K", stderr);
}
