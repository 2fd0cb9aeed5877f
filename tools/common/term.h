/* What is printed for a person: units, aligned tables, bars, colour, progress. */
#ifndef TOOLS_COMMON_TERM_H
#define TOOLS_COMMON_TERM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "libgguf/gguf.h"

/* ---- Terminal ------------------------------------------------------------------ */

/* Colour: only on a terminal, without NO_COLOR, TERM=dumb and --no-color. */
bool term_color(FILE *stream, bool no_color);

/* Prints bytes of a file escaped (gguf_str_escape); at most `limit` bytes of output if
 * limit > 0, then "...". */
void term_print_str(FILE *stream, struct gguf_str s, size_t limit);

/* ---- Units ------------------------------------------------------------------------ */

struct term_text {
    char text[64];
};

/* "3.79 GiB", "812 B": three significant digits, powers of 1024. */
struct term_text term_bytes(uint64_t bytes);
/* "3.79 GiB (4,069,519,424 bytes)". */
struct term_text term_bytes_exact(uint64_t bytes);
/* "7.24B", "3.74M", "260K", "12": parameters, powers of 1000, three digits. */
struct term_text term_count(uint64_t count);
/* "1,234,567". */
struct term_text term_grouped(uint64_t count);

/* ---- Tables ------------------------------------------------------------------------- */

/* Columns are as wide as their widest cell, counted in code points. Cells are copied and
 * must already be escaped. */
struct table;

/* `columns` is a string of 'l' and 'r', one letter a column: "lrr". */
struct table *table_new(const char *columns);
void table_free(struct table *table);
/* Adds a cell; a row is full after as many cells as there are columns. */
void table_cell(struct table *table, const char *text);
void table_cellf(struct table *table, const char *format, ...)
#if defined(__GNUC__)
    __attribute__((format(printf, 2, 3)))
#endif
    ;
void table_cell_str(struct table *table, struct gguf_str s, size_t limit);
/* Prints all rows, each preceded by `indent` spaces; with `heading`, the first row is the
 * heading and a rule is drawn below it. No trailing blanks. */
void table_print(const struct table *table, FILE *stream, int indent, bool heading);

/* A bar of `width` cells for a share from 0 to 1, in eighths of a cell: "██████▌   ". */
void term_bar(char *out, size_t out_size, double share, int width);

/* ---- Progress --------------------------------------------------------------------------- */

/* On a terminal one line that is redrawn at most ten times a second: what, percentage,
 * rate and time left. Elsewhere a plain line every tenth of the work, at most one in two
 * seconds. Nothing when `quiet`. All on stderr. One thread at a time. */
struct progress {
    const char *unit;     /* of the work ("tokens"); NULL for bytes */
    uint64_t total, done; /* in units */
    double started, shown;
    int shown_tenth;
    bool terminal, quiet;
};
void progress_start(struct progress *progress, const char *unit, uint64_t total, bool quiet);
void progress_update(struct progress *progress, uint64_t done, struct gguf_str what);
void progress_end(struct progress *progress);

/* Seconds of a monotonic clock. */
double term_seconds(void);

#endif
