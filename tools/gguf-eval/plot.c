/* Plots of characters: perplexity, and KL divergence by powers of ten, against size. */
#include "tools/gguf-eval/eval.h"

#include <math.h>
#include <string.h>

enum { COLUMNS = 60, LINES = 12, MOST_POINTS = 26 };

/* What is drawn upwards. */
struct quantity {
    const char *title;
    bool powers;                               /* of ten: the height is a logarithm */
    double (*height)(const struct subject *s); /* not finite: not in the plot */
};

struct plot {
    const struct quantity *quantity;
    char cells[LINES][COLUMNS];
    double least[2], most[2]; /* size in bytes, height */
};

static double perplexity_height(const struct subject *s)
{
    return s->summary.perplexity.value;
}

static double kld_height(const struct subject *s)
{
    return log10(s->summary.kld.value); /* the base has none */
}

static const struct quantity quantities[] = {
    {"perplexity against size", false, perplexity_height},
    {"KL divergence against size", true, kld_height},
};

static void find_range(struct plot *p, const struct subjects *s)
{
    p->least[0] = p->least[1] = INFINITY;
    p->most[0] = p->most[1] = -INFINITY;
    for (size_t i = 0; i < s->count; i++) {
        double at[2] = {(double)s->list[i].bytes, p->quantity->height(&s->list[i])};
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
    for (size_t i = 0; i < s->count && i < MOST_POINTS; i++) {
        double height = p->quantity->height(&s->list[i]);
        if (!isfinite(height))
            continue;
        int column = place(p, 0, (double)s->list[i].bytes, COLUMNS);
        int line = LINES - 1 - place(p, 1, height, LINES);
        char *cell = &p->cells[line][column];
        *cell = *cell == ' ' ? (char)('a' + (int)i) : '*'; /* several in one place */
    }
}

static void print_height(const struct quantity *quantity, double height)
{
    if (quantity->powers)
        printf("%10.2e", pow(10, height));
    else
        printf("%#10.5g", height);
}

static void print_lines(const struct plot *p)
{
    double range = p->most[1] - p->least[1];
    for (int line = 0; line < LINES; line++) {
        double share = (double)(LINES - 1 - line) / (LINES - 1);
        if (line % 4 == 0 || line == LINES - 1)
            print_height(p->quantity, p->least[1] + share * range);
        else
            printf("%10s", "");
        int end = COLUMNS;
        while (end > 0 && p->cells[line][end - 1] == ' ')
            end--;
        printf(" │%.*s\n", end, p->cells[line]);
    }
    printf("%10s └", "");
    for (int i = 0; i < COLUMNS; i++)
        fputs("─", stdout);
    printf("\n%12s%-*s%s\n", "", COLUMNS - 10, term_bytes((uint64_t)p->least[0]).text,
           term_bytes((uint64_t)p->most[0]).text);
}

void report_plots(const struct subjects *s)
{
    for (size_t i = 0; i < sizeof quantities / sizeof quantities[0]; i++) {
        struct plot p = {.quantity = &quantities[i]};
        find_range(&p, s);
        if (!isfinite(p.least[0]))
            continue;
        put_points(&p, s);
        printf("\n%s\n", p.quantity->title);
        print_lines(&p);
    }
    putchar('\n');
    for (size_t i = 0; i < s->count && i < MOST_POINTS; i++)
        printf("%12s%c  %s\n", "", (char)('a' + (int)i), s->list[i].label);
}
