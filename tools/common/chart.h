/*
 * Bars for the terminal, and charts as SVG inside one HTML file that needs nothing else:
 * readable in light and dark, with the numbers in a table below.
 */
#ifndef TOOLS_COMMON_CHART_H
#define TOOLS_COMMON_CHART_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#define CHART_MAX_PARTS 8

/* ---- Terminal -------------------------------------------------------------------------- */

/* A bar of `width` cells for parts of `total`, each in its own shade, the rest as dots. A
 * part that is not 0 has a cell at least. `out` has room for 16 bytes a cell. */
struct chart_bar {
    const double *parts;
    size_t n_parts;
    double total; /* of the whole width */
    int width;    /* columns */
    bool color;
};
void chart_bar(char *out, size_t out_size, const struct chart_bar *bar);
/* The shade of a part, for the legend. */
void chart_shade(char *out, size_t out_size, size_t part, bool color);

/* ---- HTML --------------------------------------------------------------------------- */

/* Text of any content, escaped for HTML. */
void chart_text(FILE *out, const char *text);

void chart_page_begin(FILE *out, const char *title);
void chart_page_end(FILE *out);
void chart_heading(FILE *out, const char *text);

/* Stacked bars, one a row; all on the scale of the largest. */
struct chart_stack {
    const char *name;
    double parts[CHART_MAX_PARTS];
    double limit; /* a mark across the bar; 0: none */
};
struct chart_stacks {
    const char *title, *unit;
    const char *const *labels; /* of the parts */
    size_t n_parts;
    const struct chart_stack *rows;
    size_t n_rows;
};
void chart_stacks(FILE *out, const struct chart_stacks *chart);

/* Points joined by lines, or apart with names. */
struct chart_point {
    double x, y;
    const char *name; /* or NULL */
    double error;     /* of y, drawn as a bar up and down; 0: none */
};
struct chart_series {
    const char *name;
    const struct chart_point *points;
    size_t n;
    bool joined;
};
enum chart_scale {
    CHART_FROM_ZERO,
    CHART_TIGHT, /* from the smallest value to the largest */
    CHART_LOG    /* likewise, by powers of ten; values above 0 */
};
struct chart_plot {
    const char *title, *x_label, *y_label;
    enum chart_scale x_scale, y_scale;
    const struct chart_series *series;
    size_t n_series;
    double limit; /* a horizontal line; 0: none */
    const char *limit_name;
};
void chart_plot(FILE *out, const struct chart_plot *plot);
/* The same as a file of its own, to be shown in a page like a picture. */
void chart_svg(FILE *out, const struct chart_plot *plot);

/* A table: the cells of a row, `n` of them; the first row is the heading. */
void chart_table_begin(FILE *out);
void chart_table_row(FILE *out, const char *const *cells, size_t n, bool heading);
void chart_table_end(FILE *out);

#endif
