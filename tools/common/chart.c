/* Charts: see chart.h. */
#include "tools/common/chart.h"

#include <math.h>
#include <string.h>

/* ---- Terminal -------------------------------------------------------------------------- */

static const struct {
    const char *plain;
    int color; /* of the 256 */
} shades[CHART_MAX_PARTS] = {{"█", 33},  {"▓", 208}, {"▒", 35}, {"#", 170},
                             {"+", 178}, {"░", 245}, {"=", 37}, {"-", 160}};

void chart_shade(char *out, size_t out_size, size_t part, bool color)
{
    size_t i = part % CHART_MAX_PARTS;
    if (color)
        snprintf(out, out_size, "\033[38;5;%dm█\033[0m", shades[i].color);
    else
        snprintf(out, out_size, "%s", shades[i].plain);
}

static void append(char *out, size_t out_size, const char *text)
{
    size_t used = strlen(out);
    snprintf(out + used, out_size - used, "%s", text);
}

void chart_bar(char *out, size_t out_size, const struct chart_bar *bar)
{
    int left = bar->width;
    out[0] = '\0';
    for (size_t i = 0; i < bar->n_parts; i++) {
        double part = bar->parts[i];
        double share = bar->total > 0 && part > 0 ? part / bar->total : 0;
        double cells = floor(share * bar->width + 0.5);
        int n = cells < left ? (int)cells : left;
        char shade[32];
        if (n == 0 && part > 0 && left > 0)
            n = 1;
        chart_shade(shade, sizeof shade, i, bar->color);
        for (int c = 0; c < n; c++)
            append(out, out_size, shade);
        left -= n;
    }
    for (; left > 0; left--)
        append(out, out_size, "·");
}

/* ---- HTML --------------------------------------------------------------------------- */

enum {
    WIDTH = 720,
    LEFT = 170, /* of the bars: room for names */
    AXIS = 70,  /* of a plot: room for numbers */
    HEIGHT = 320,
    BOTTOM = 50, /* below a plot */
    BAR = 26,
    MAX_TICKS = 12
};

void chart_text(FILE *out, const char *text)
{
    for (; *text; text++) {
        if (*text == '&')
            fputs("&amp;", out);
        else if (*text == '<')
            fputs("&lt;", out);
        else if (*text == '>')
            fputs("&gt;", out);
        else if (*text == '"')
            fputs("&quot;", out);
        else
            fputc(*text, out);
    }
}

/* By what they are for; p0 to p7 are parts and series. */
#define COLORS                                                                                 \
    ":root{color-scheme:light dark;--bg:#fff;--fg:#1a1a1a;--dim:#6b6b6b;--line:#d0d0d0;"       \
    "--p0:#2a78d6;--p1:#e07b1a;--p2:#2f9e62;--p3:#a24fc2;--p4:#b8960c;--p5:#8a8a8a;"           \
    "--p6:#13a3a3;--p7:#cf3e4f}\n"                                                             \
    "@media(prefers-color-scheme:dark){:root{--bg:#161618;--fg:#e8e8e8;--dim:#a0a0a0;"         \
    "--line:#3c3c40;--p0:#5a9cf0;--p1:#f09c4a;--p2:#56c48a;--p3:#c583e0;--p4:#dcbb3f;"         \
    "--p5:#9a9a9a;--p6:#4cc7c7;--p7:#ee6f7d}}\n"
#define SVG_TEXT "svg text{fill:var(--fg);font:12px system-ui,sans-serif}"

void chart_page_begin(FILE *out, const char *title)
{
    fputs("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
          "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>",
          out);
    chart_text(out, title);
    fputs("</title>\n<style>\n" COLORS
          "body{background:var(--bg);color:var(--fg);font:15px/1.5 system-ui,sans-serif;"
          "max-width:860px;margin:2em auto;padding:0 1em}\n"
          "svg{width:100%;height:auto;overflow:visible}" SVG_TEXT ".dim{fill:var(--dim)}\n"
          "table{border-collapse:collapse;margin:1em 0;font-variant-numeric:tabular-nums}"
          "th,td{padding:.2em .5em;text-align:right;white-space:nowrap;border-bottom:1px solid "
          "var(--line)}"
          "th:first-child,td:first-child{text-align:left}\n"
          "pre{background:color-mix(in srgb,var(--fg) 7%,transparent);padding:.8em;"
          "overflow-x:auto}.scroll{overflow-x:auto}\n"
          "</style>\n</head>\n<body>\n<h1>",
          out);
    chart_text(out, title);
    fputs("</h1>\n", out);
}

void chart_page_end(FILE *out)
{
    fputs("</body>\n</html>\n", out);
}

void chart_heading(FILE *out, const char *text)
{
    fputs("<h2>", out);
    chart_text(out, text);
    fputs("</h2>\n", out);
}

static void label(FILE *out, double x, double y, const char *anchor, const char *text)
{
    fprintf(out, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\">", x, y, anchor);
    chart_text(out, text);
    fputs("</text>\n", out);
}

static void svg_begin(FILE *out, double height, const char *title)
{
    fprintf(out, "<svg viewBox=\"0 0 %d %.0f\" role=\"img\" aria-label=\"", WIDTH, height);
    chart_text(out, title);
    fputs("\">\n", out);
}

static void line(FILE *out, const double from[2], const double to[2], const char *style)
{
    fprintf(out, "<line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\" style=\"%s\"/>\n",
            from[0], from[1], to[0], to[1], style);
}

/* A step of 1, 2 or 5 times a power of ten, for at most six steps. */
static double nice_step(double range)
{
    double power = pow(10, floor(log10(range / 6)));
    static const double steps[] = {1, 2, 5, 10};
    for (size_t i = 0; i < 4; i++) {
        if (range / (steps[i] * power) <= 6)
            return steps[i] * power;
    }
    return 10 * power;
}

/* ---- Stacked bars ------------------------------------------------------------------------ */

static double stack_sum(const struct chart_stacks *chart, const struct chart_stack *row)
{
    double sum = 0;
    for (size_t i = 0; i < chart->n_parts; i++)
        sum += row->parts[i];
    return sum;
}

static double stacks_most(const struct chart_stacks *chart)
{
    double most = 0;
    for (size_t i = 0; i < chart->n_rows; i++) {
        double sum = stack_sum(chart, &chart->rows[i]);
        most = fmax(most, fmax(sum, chart->rows[i].limit));
    }
    return most > 0 ? most : 1;
}

static void stack_row(FILE *out, const struct chart_stacks *chart,
                      const struct chart_stack *row, double y)
{
    double scale = (WIDTH - LEFT - 20) / stacks_most(chart), x = LEFT;
    label(out, LEFT - 8, y + BAR * 0.65, "end", row->name);
    for (size_t i = 0; i < chart->n_parts; i++) {
        double w = row->parts[i] * scale;
        if (w <= 0)
            continue;
        fprintf(out,
                "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%d\" "
                "style=\"fill:var(--p%zu)\"><title>",
                x, y, fmax(w, 0.5), BAR - 6, i);
        chart_text(out, chart->labels[i]);
        fprintf(out, ": %.3g %s</title></rect>\n", row->parts[i], chart->unit);
        x += w;
    }
    if (row->limit > 0) {
        double at = LEFT + row->limit * scale;
        line(out, (double[]){at, y - 3}, (double[]){at, y + BAR - 3},
             "stroke:var(--fg);stroke-width:2");
    }
}

static void legend(FILE *out, const char *const *labels, size_t n, double y)
{
    double x = LEFT;
    for (size_t i = 0; i < n; i++) {
        fprintf(out,
                "<rect x=\"%.1f\" y=\"%.1f\" width=\"11\" height=\"11\" "
                "style=\"fill:var(--p%zu)\"/>\n",
                x, y - 10, i);
        label(out, x + 15, y, "start", labels[i]);
        x += 34 + 7.5 * (double)strlen(labels[i]);
    }
}

static void stack_axis(FILE *out, const struct chart_stacks *chart, double y)
{
    double most = stacks_most(chart), step = nice_step(most);
    for (int i = 0; i <= MAX_TICKS && i * step <= most * 1.001; i++) {
        char text[48];
        double x = LEFT + i * step / most * (WIDTH - LEFT - 20);
        snprintf(text, sizeof text, "%g", i * step);
        line(out, (double[]){x, 0}, (double[]){x, y}, "stroke:var(--line)");
        label(out, x, y + 15, "middle", text);
    }
    label(out, LEFT - 8, y + 15, "end", chart->unit);
}

void chart_stacks(FILE *out, const struct chart_stacks *chart)
{
    double bars = (double)chart->n_rows * BAR;
    chart_heading(out, chart->title);
    svg_begin(out, bars + 50, chart->title);
    stack_axis(out, chart, bars);
    for (size_t i = 0; i < chart->n_rows; i++)
        stack_row(out, chart, &chart->rows[i], (double)i * BAR + 3);
    legend(out, chart->labels, chart->n_parts, bars + 40);
    fputs("</svg>\n", out);
}

/* ---- Plots ----------------------------------------------------------------------------- */

/* From numbers to places on the page. */
struct frame {
    enum chart_scale scale[2];
    double least[2], most[2]; /* of the axes; logarithms on a logarithmic one */
};

static double share_of(const struct frame *f, int axis, double value)
{
    double at = f->scale[axis] == CHART_LOG ? log10(value) : value;
    return (at - f->least[axis]) / (f->most[axis] - f->least[axis]);
}

static double place_x(const struct frame *f, double x)
{
    return AXIS + share_of(f, 0, x) * (WIDTH - AXIS - 20);
}

static double place_y(const struct frame *f, double y)
{
    return HEIGHT - share_of(f, 1, y) * (HEIGHT - 10);
}

static void widen(struct frame *f, int axis, double value)
{
    if (f->scale[axis] == CHART_LOG)
        value = log10(value);
    if (!isfinite(value))
        return;
    f->least[axis] = fmin(f->least[axis], value);
    f->most[axis] = fmax(f->most[axis], value);
}

/* Leaves room above, and below where the axis does not begin at 0. */
static void settle(struct frame *f, int axis)
{
    bool from_zero = f->scale[axis] == CHART_FROM_ZERO;
    if (!(f->most[axis] >= f->least[axis]))
        f->least[axis] = 0, f->most[axis] = 1;
    double range = f->most[axis] - f->least[axis];
    double room = range > 0 ? range * 0.05 : fmax(fabs(f->most[axis]) * 0.05, 1e-9);
    if (from_zero && axis == 0)
        room = range > 0 ? 0 : 1;
    f->most[axis] += room;
    f->least[axis] -= from_zero ? 0 : room;
}

static struct frame find_frame(const struct chart_plot *plot)
{
    struct frame f = {.scale = {plot->x_scale, plot->y_scale}};
    for (int a = 0; a < 2; a++) {
        f.least[a] = f.scale[a] == CHART_FROM_ZERO ? 0 : INFINITY;
        f.most[a] = f.scale[a] == CHART_FROM_ZERO ? 0 : -INFINITY;
    }
    if (plot->limit > 0)
        widen(&f, 1, plot->limit);
    for (size_t s = 0; s < plot->n_series; s++) {
        for (size_t i = 0; i < plot->series[s].n; i++) {
            const struct chart_point *p = &plot->series[s].points[i];
            widen(&f, 0, p->x);
            widen(&f, 1, p->y + p->error);
            widen(&f, 1, p->y - p->error);
        }
    }
    settle(&f, 0);
    settle(&f, 1);
    return f;
}

/* Numbers for an axis: at most MAX_TICKS. */
static size_t find_ticks(const struct frame *f, int axis, double ticks[MAX_TICKS])
{
    static const double parts[] = {1, 2, 5};
    double least = f->least[axis], most = f->most[axis], step = nice_step(most - least);
    bool is_log = f->scale[axis] == CHART_LOG, whole = most - least > 3;
    size_t n = 0;
    if (!is_log) {
        for (double t = ceil(least / step - 1e-9); n < MAX_TICKS && t * step <= most; t++)
            ticks[n++] = t * step + 0.0; /* no -0 */
        return n;
    }
    for (int power = (int)floor(least); power <= (int)floor(most); power++) {
        for (size_t i = 0; i < (whole ? 1 : 3) && n < MAX_TICKS; i++) {
            double value = parts[i] * pow(10, power);
            if (log10(value) >= least && log10(value) <= most)
                ticks[n++] = value;
        }
    }
    return n;
}

static void axes(FILE *out, const struct chart_plot *plot, const struct frame *f)
{
    double ticks[MAX_TICKS];
    char text[48];
    size_t n = find_ticks(f, 0, ticks);
    for (size_t i = 0; i < n; i++) {
        double x = place_x(f, ticks[i]);
        snprintf(text, sizeof text, "%g", ticks[i]);
        line(out, (double[]){x, HEIGHT}, (double[]){x, HEIGHT + 4}, "stroke:var(--dim)");
        label(out, x, HEIGHT + 17, "middle", text);
    }
    n = find_ticks(f, 1, ticks);
    for (size_t i = 0; i < n; i++) {
        double y = place_y(f, ticks[i]);
        snprintf(text, sizeof text, "%g", ticks[i]);
        line(out, (double[]){AXIS, y}, (double[]){WIDTH - 20, y}, "stroke:var(--line)");
        label(out, AXIS - 6, y + 4, "end", text);
    }
    label(out, (WIDTH + AXIS) / 2.0, HEIGHT + 36, "middle", plot->x_label);
    fprintf(out, "<text transform=\"translate(14 %d) rotate(-90)\" text-anchor=\"middle\">",
            HEIGHT / 2);
    chart_text(out, plot->y_label);
    fputs("</text>\n", out);
}

static void series_line(FILE *out, const struct chart_series *s, const struct frame *f,
                        size_t number)
{
    fputs("<polyline points=\"", out);
    for (size_t i = 0; i < s->n; i++)
        fprintf(out, "%.1f,%.1f ", place_x(f, s->points[i].x), place_y(f, s->points[i].y));
    fprintf(out, "\" style=\"fill:none;stroke:var(--p%zu);stroke-width:2\"/>\n", number);
}

/* Names that are written already, from x[0] to x[1]. */
struct written {
    double x[64][2], y[64];
    size_t n;
};

#define LETTER 6.6 /* width, about */

static bool is_free(const struct written *w, const double x[2], double y)
{
    for (size_t i = 0; i < w->n; i++) {
        if (x[0] < w->x[i][1] && w->x[i][0] < x[1] && fabs(w->y[i] - y) < 12)
            return false;
    }
    return x[1] < WIDTH && w->n < sizeof w->y / sizeof w->y[0];
}

/* Beside the point where there is room, or else nowhere: the name shows where the pointer
 * rests. */
static void point_name(FILE *out, struct written *w, const double at[2], const char *name)
{
    static const struct {
        bool left;
        double down;
    } places[] = {{false, -5}, {true, 13}, {false, 13}, {true, -5}};
    double width = LETTER * (double)strlen(name);
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        double x = places[i].left ? at[0] - 7 - width : at[0] + 7, y = at[1] + places[i].down;
        double range[2] = {x, x + width};
        if (!is_free(w, range, y))
            continue;
        memcpy(w->x[w->n], range, sizeof range);
        w->y[w->n++] = y;
        label(out, places[i].left ? at[0] - 7 : x, y, places[i].left ? "end" : "start", name);
        return;
    }
}

/* On a logarithmic axis a bar that reaches 0 ends at the bottom. */
static void error_bar(FILE *out, const struct chart_point *p, const struct frame *f,
                      size_t number)
{
    bool reaches_zero = f->scale[1] == CHART_LOG && p->y <= p->error;
    double x = place_x(f, p->x), low = reaches_zero ? HEIGHT : place_y(f, p->y - p->error);
    char style[64];
    snprintf(style, sizeof style, "stroke:var(--p%zu);stroke-width:1.5", number);
    line(out, (double[]){x, place_y(f, p->y + p->error)}, (double[]){x, low}, style);
}

static void series_points(FILE *out, const struct chart_series *s, const struct frame *f,
                          size_t number)
{
    for (size_t i = 0; i < s->n; i++) {
        const struct chart_point *p = &s->points[i];
        if (p->error > 0)
            error_bar(out, p, f, number);
        fprintf(out, "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"4\" style=\"fill:var(--p%zu)\">",
                place_x(f, p->x), place_y(f, p->y), number);
        fputs("<title>", out);
        chart_text(out, p->name ? p->name : "");
        fprintf(out, "%s%.4g, %.4g</title></circle>\n", p->name ? ": " : "", p->x, p->y);
    }
}

static void series_names(FILE *out, const struct chart_series *s, const struct frame *f,
                         struct written *w)
{
    for (size_t i = 0; i < s->n; i++) {
        const struct chart_point *p = &s->points[i];
        if (p->name)
            point_name(out, w, (double[]){place_x(f, p->x), place_y(f, p->y)}, p->name);
    }
}

static void limit_line(FILE *out, const struct chart_plot *plot, const struct frame *f)
{
    double y = place_y(f, plot->limit);
    line(out, (double[]){AXIS, y}, (double[]){WIDTH - 20, y},
         "stroke:var(--p7);stroke-width:1.5;stroke-dasharray:6 4");
    label(out, WIDTH - 22, y - 5, "end", plot->limit_name);
}

static void draw_plot(FILE *out, const struct chart_plot *plot)
{
    struct frame f = find_frame(plot);
    struct written written = {.n = 0};
    const char *names[CHART_MAX_PARTS];
    size_t n = plot->n_series < CHART_MAX_PARTS ? plot->n_series : CHART_MAX_PARTS;
    axes(out, plot, &f);
    if (plot->limit > 0)
        limit_line(out, plot, &f);
    for (size_t i = n; i-- > 0;) { /* the first lies on top */
        names[i] = plot->series[i].name;
        if (plot->series[i].joined)
            series_line(out, &plot->series[i], &f, i);
        else
            series_points(out, &plot->series[i], &f, i);
    }
    for (size_t i = 0; i < n; i++)
        series_names(out, &plot->series[i], &f, &written);
    if (n > 1)
        legend(out, names, n, HEIGHT + BOTTOM + 10);
}

void chart_plot(FILE *out, const struct chart_plot *plot)
{
    chart_heading(out, plot->title);
    svg_begin(out, HEIGHT + BOTTOM + 20, plot->title);
    draw_plot(out, plot);
    fputs("</svg>\n", out);
}

void chart_svg(FILE *out, const struct chart_plot *plot)
{
    enum { MARGIN = 12, TITLE = 30 };
    int width = WIDTH + 2 * MARGIN, height = HEIGHT + BOTTOM + 20 + TITLE + MARGIN;
    fprintf(out,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" "
            "viewBox=\"0 0 %d %d\">\n<style>\n" COLORS SVG_TEXT "\n</style>\n"
            "<rect width=\"%d\" height=\"%d\" style=\"fill:var(--bg)\"/>\n"
            "<g transform=\"translate(%d %d)\">\n<text x=\"%d\" y=\"-8\" "
            "text-anchor=\"middle\" style=\"font-size:15px\">",
            width, height, width, height, width, height, MARGIN, TITLE, WIDTH / 2);
    chart_text(out, plot->title);
    fputs("</text>\n", out);
    draw_plot(out, plot);
    fputs("</g>\n</svg>\n", out);
}

/* ---- Tables ---------------------------------------------------------------------------- */

void chart_table_begin(FILE *out)
{
    fputs("<div class=\"scroll\"><table>\n", out);
}

void chart_table_row(FILE *out, const char *const *cells, size_t n, bool heading)
{
    const char *tag = heading ? "th" : "td";
    fputs("<tr>", out);
    for (size_t i = 0; i < n; i++) {
        fprintf(out, "<%s>", tag);
        chart_text(out, cells[i]);
        fprintf(out, "</%s>", tag);
    }
    fputs("</tr>\n", out);
}

void chart_table_end(FILE *out)
{
    fputs("</table></div>\n", out);
}
