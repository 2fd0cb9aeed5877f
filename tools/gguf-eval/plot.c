/* A plot of characters: KL divergence, by powers of ten, against size. */
#include "tools/gguf-eval/eval.h"

#include <math.h>
#include <string.h>

enum { COLUMNS = 60, LINES = 14, MOST_POINTS = 26 };

struct plot {
    char cells[LINES][COLUMNS];
    double least[2], most[2]; /* size in bytes, logarithm of the divergence */
};

static double height_of(const struct subject *s)
{
    return log10(s->summary.kld.value);
}

static void find_range(struct plot *p, const struct subjects *s)
{
    p->least[0] = p->least[1] = INFINITY;
    p->most[0] = p->most[1] = -INFINITY;
    for (size_t i = 1; i < s->count; i++) {
        double at[2] = {(double)s->list[i].bytes, height_of(&s->list[i])};
        for (int a = 0; a < 2 && isfinite(at[1]); a++) {
            p->least[a] = fmin(p->least[a], at[a]);
            p->most[a] = fmax(p->most[a], at[a]);
        }
    }
}

static int place(const struct plot *p, int axis, double value, int cells)
{
    double range = p->most[axis] - p->least[axis];
    double share = range > 0 ? (value - p->least[axis]) / range : 0.5;
    return (int)floor(share * (cells - 1) + 0.5);
}

static void put_points(struct plot *p, const struct subjects *s)
{
    memset(p->cells, ' ', sizeof p->cells);
    for (size_t i = 1; i < s->count && i <= MOST_POINTS; i++) {
        if (!isfinite(height_of(&s->list[i])))
            continue;
        int column = place(p, 0, (double)s->list[i].bytes, COLUMNS);
        int line = LINES - 1 - place(p, 1, height_of(&s->list[i]), LINES);
        char *cell = &p->cells[line][column];
        *cell = *cell == ' ' ? (char)('a' + (int)i - 1) : '*'; /* two in one place */
    }
}

static void print_lines(const struct plot *p)
{
    for (int line = 0; line < LINES; line++) {
        double share = (double)(LINES - 1 - line) / (LINES - 1);
        if (line % 3 == 0 || line == LINES - 1)
            printf("%10.2e │", pow(10, p->least[1] + share * (p->most[1] - p->least[1])));
        else
            printf("%10s │", "");
        int end = COLUMNS;
        while (end > 0 && p->cells[line][end - 1] == ' ')
            end--;
        printf("%.*s\n", end, p->cells[line]);
    }
    printf("%10s └", "");
    for (int i = 0; i < COLUMNS; i++)
        fputs("─", stdout);
    printf("\n%12s%-*s%s\n", "", COLUMNS - 10, term_bytes((uint64_t)p->least[0]).text,
           term_bytes((uint64_t)p->most[0]).text);
}

void report_plot(const struct subjects *s)
{
    struct plot p;
    find_range(&p, s);
    if (!isfinite(p.least[0]))
        return;
    put_points(&p, s);
    puts("\nKL divergence against size");
    print_lines(&p);
    for (size_t i = 1; i < s->count && i <= MOST_POINTS; i++) {
        printf("%12s%c  %s\n", "", (char)('a' + (int)i - 1), s->list[i].label);
    }
}
