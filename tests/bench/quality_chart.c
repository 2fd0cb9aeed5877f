/*
 * quality_chart: reads points, one a line, as
 *
 *     SERIES <tab> NAME <tab> X <tab> Y
 *
 * and draws them, Y by powers of ten, as a picture: quality.sh's KL divergence against size.
 * The points of the first series have their names written beside them.
 */
#include "tools/common/chart.h"
#include "tools/common/cli.h"

#include <stdlib.h>
#include <string.h>

struct points {
    struct chart_series series[CHART_MAX_PARTS];
    size_t n;
};

static char *copy_of(const char *text)
{
    char *copy = cli_alloc(strlen(text) + 1, 1);
    memcpy(copy, text, strlen(text));
    return copy;
}

static struct chart_series *series_of(struct points *p, const char *name)
{
    for (size_t i = 0; i < p->n; i++) {
        if (strcmp(p->series[i].name, name) == 0)
            return &p->series[i];
    }
    if (p->n == CHART_MAX_PARTS)
        cli_die("more than %d series", CHART_MAX_PARTS);
    p->series[p->n].name = copy_of(name);
    return &p->series[p->n++];
}

static void add_point(struct points *p, const char *text)
{
    char series[64], name[64];
    struct chart_point point;
    if (sscanf(text, "%63[^\t]\t%63[^\t]\t%lf\t%lf", series, name, &point.x, &point.y) != 4)
        cli_die("expected SERIES, NAME, X and Y with tabs between, found \"%s\"", text);
    struct chart_series *s = series_of(p, series);
    point.name = s == p->series ? copy_of(name) : NULL;
    struct chart_point *points = cli_grow((void *)(uintptr_t)s->points, s->n + 1, sizeof point);
    points[s->n++] = point;
    s->points = points;
}

static void free_points(struct points *p)
{
    for (size_t i = 0; i < p->n; i++) {
        for (size_t k = 0; k < p->series[i].n; k++)
            free((void *)(uintptr_t)p->series[i].points[k].name);
        free((void *)(uintptr_t)p->series[i].points);
        free((void *)(uintptr_t)p->series[i].name);
    }
}

int main(void)
{
    struct points p = {.n = 0};
    char text[512];
    while (fgets(text, sizeof text, stdin))
        add_point(&p, text);
    const struct chart_plot plot = {.title = "KL divergence from the F16 model against size",
                                    .x_label = "size, MiB",
                                    .y_label = "mean KL divergence, nats a token",
                                    .x_scale = CHART_TIGHT,
                                    .y_scale = CHART_LOG,
                                    .series = p.series,
                                    .n_series = p.n};
    chart_svg(stdout, &plot);
    free_points(&p);
    return fflush(stdout) == 0 ? CLI_OK : CLI_TROUBLE;
}
