/* --report: the answer with charts, as one HTML file that needs nothing else. */
#include "tools/gguf-size/size.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tools/common/chart.h"

enum { CURVE = 33 }; /* points of context against memory */

static double to_gib(uint64_t bytes)
{
    return (double)bytes / (double)GIB;
}

/* ---- Bars of the devices ---------------------------------------------------------------- */

static struct chart_stack to_stack(const struct plan_device *d)
{
    return (struct chart_stack){.name = d->device->hardware.name,
                                .parts = {to_gib(d->weights), to_gib(d->kv),
                                          to_gib(d->recurrent), to_gib(d->compute.expected),
                                          to_gib(d->output), to_gib(d->overhead.expected)},
                                .limit = to_gib(d->capacity)};
}

static void device_table(FILE *out, const struct plan *plan)
{
    enum { CELLS = PLAN_PARTS + 3 };
    const char *cells[CELLS] = {"device"};
    struct term_text text[CELLS];
    memcpy(cells + 1, plan_part_names, sizeof plan_part_names);
    cells[CELLS - 2] = "sum";
    cells[CELLS - 1] = "there is";
    chart_table_begin(out);
    chart_table_row(out, cells, CELLS, true);
    for (size_t i = 0; i < plan->n_devices; i++) {
        const struct plan_device *d = &plan->devices[i];
        uint64_t bytes[CELLS - 1];
        if (!plan_uses(plan, i))
            continue;
        plan_parts(d, bytes);
        bytes[CELLS - 3] = d->expected;
        bytes[CELLS - 2] = d->capacity;
        cells[0] = d->device->hardware.name;
        for (size_t c = 1; c < CELLS; c++) {
            text[c] = term_bytes(bytes[c - 1]);
            cells[c] = text[c].text;
        }
        chart_table_row(out, cells, CELLS, false);
    }
    chart_table_end(out);
}

static void device_chart(FILE *out, const struct plan *plan)
{
    struct chart_stack rows[MAX_GPUS + 1];
    size_t n = 0;
    for (size_t i = 0; i < plan->n_devices; i++) {
        if (plan_uses(plan, i))
            rows[n++] = to_stack(&plan->devices[i]);
    }
    struct chart_stacks chart = {.title = "Memory of each device",
                                 .unit = "GiB",
                                 .labels = plan_part_names,
                                 .n_parts = PLAN_PARTS,
                                 .rows = rows,
                                 .n_rows = n};
    chart_stacks(out, &chart);
    fputs("<p>The mark is the memory that there is.</p>\n", out);
    device_table(out, plan);
}

/* ---- Context against memory -------------------------------------------------------------- */

/* What the curves are about: the GPUs, or the RAM where none is used. */
static uint64_t curve_sum(const struct plan *plan, bool capacity)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < plan->n_devices; i++) {
        const struct plan_device *d = &plan->devices[i];
        bool ram = i + 1 == plan->n_devices;
        if (ram == (plan->gpu_layers == 0))
            sum = model_memory_sum(sum, capacity ? d->capacity : d->expected);
    }
    return sum;
}

/* The plan of another context and type of the cache, with the same layers on the GPUs. */
static void replan(struct plan *out, const struct situation *s, const struct plan *plan,
                   uint64_t context, enum gguf_type type)
{
    struct request own = *s->request;
    struct situation other = *s;
    own.run.context = context;
    own.run.type_k = own.run.type_v = type;
    own.run.flash_attention = own.run.flash_attention || type != GGUF_F16;
    own.layers_given = true;
    own.gpu_layers = plan->gpu_layers;
    other.request = &own;
    plan_make(out, &other);
}

static void context_chart(FILE *out, const struct situation *s, const struct plan *plan)
{
    static const enum gguf_type types[] = {GGUF_F16, GGUF_Q8_0, GGUF_Q4_0};
    static const char *const names[] = {"f16 cache", "q8_0 cache", "q4_0 cache"};
    struct chart_point points[3][CURVE];
    struct chart_series series[3];
    uint64_t trained = s->subject->h.context ? s->subject->h.context : 131072;
    uint64_t most = trained > 1048576 ? 1048576 : trained;
    struct plan other;
    for (size_t t = 0; t < 3; t++) {
        for (size_t i = 0; i < CURVE; i++) {
            uint64_t context = most * i / (CURVE - 1);
            replan(&other, s, plan, context ? context : 1, types[t]);
            points[t][i] = (struct chart_point){.x = (double)context / 1024,
                                                .y = to_gib(curve_sum(&other, false))};
        }
        series[t] = (struct chart_series){names[t], points[t], CURVE, true};
    }
    struct chart_plot plot = {.title = "Context and memory",
                              .x_label = "tokens of context",
                              .y_label = plan->gpu_layers ? "GiB on the GPUs" : "GiB of RAM",
                              .series = series,
                              .n_series = 3,
                              .limit = to_gib(curve_sum(plan, true)),
                              .limit_name = plan->gpu_layers ? "memory of the GPUs" : "RAM"};
    /* a limit far above would press the curves flat */
    if (plot.limit > 3 * points[0][CURVE - 1].y)
        plot.limit = 0;
    chart_plot(out, &plot);
}

static void context_table(FILE *out, const struct situation *s, const struct plan *plan)
{
    static const char *const heading[] = {"context", "f16 cache", "q8_0 cache", "q4_0 cache"};
    static const enum gguf_type types[] = {GGUF_F16, GGUF_Q8_0, GGUF_Q4_0};
    uint64_t trained = s->subject->h.context ? s->subject->h.context : 131072;
    struct plan other;
    chart_table_begin(out);
    chart_table_row(out, heading, 4, true);
    for (uint64_t context = 256; context / 2 < trained && context <= 1048576; context *= 2) {
        uint64_t own = context < trained ? context : trained;
        struct term_text text[4] = {term_grouped(own)};
        for (size_t t = 0; t < 3; t++) {
            replan(&other, s, plan, own, types[t]);
            text[t + 1] = term_bytes(curve_sum(&other, false));
        }
        const char *cells[] = {text[0].text, text[1].text, text[2].text, text[3].text};
        chart_table_row(out, cells, 4, false);
    }
    chart_table_end(out);
}

/* ---- Quantizations against memory and speed ---------------------------------------------- */

static void quant_chart(FILE *out, const struct quant_table *quants)
{
    struct chart_point *points = cli_alloc(3 * quants->n, sizeof *points);
    struct chart_series series[] = {
        {"recommended", points, 0, false},
        {"fits", points + quants->n, 0, false},
        {"does not fit", points + 2 * quants->n, 0, false},
    };
    for (size_t i = 0; i < quants->n; i++) {
        const struct quant_row *row = &quants->rows[i];
        size_t which = row->recommended ? 0 : row->plan.verdict != VERDICT_NO ? 1 : 2;
        points[which * quants->n + series[which].n++] =
            (struct chart_point){.x = to_gib(row->total_bytes),
                                 .y = row->plan.generate.expected,
                                 .name = row->mix->name};
    }
    struct chart_plot plot = {.title = "Quantizations: memory and speed",
                              .x_label = "GiB on all devices",
                              .y_label = "tokens per second",
                              .series = series,
                              .n_series = 3};
    chart_plot(out, &plot);
    free(points);
}

static void quant_table(FILE *out, const struct situation *s, const struct quant_table *quants)
{
    static const char *const heading[] = {"type", "file", "memory", "tokens/s",
                                          "KLD",  "PPL",  "verdict"};
    chart_table_begin(out);
    chart_table_row(out, heading, 7, true);
    for (size_t i = 0; i < quants->n; i++) {
        const struct quant_row *row = &quants->rows[i];
        char name[48], speed[32], kld[32] = "?", ppl[32] = "?", verdict[96];
        struct term_text file = term_bytes(row->file_bytes);
        struct term_text memory = term_bytes(row->total_bytes);
        snprintf(name, sizeof name, "%s%s", row->mix->name,
                 row->recommended ? " (recommended)" : "");
        snprintf(speed, sizeof speed, "%.1f", row->plan.generate.expected);
        if (row->quality) {
            snprintf(kld, sizeof kld, "%.4f", row->quality->divergence);
            snprintf(ppl, sizeof ppl, "+%.1f %%", 100 * row->quality->perplexity);
        }
        plan_verdict(verdict, sizeof verdict, &row->plan, s->subject);
        const char *cells[] = {name, file.text, memory.text, speed, kld, ppl, verdict};
        chart_table_row(out, cells, 7, false);
    }
    chart_table_end(out);
    fputs("<p>File sizes are exact. KLD and PPL are typical (Llama 3 8B against F16), not "
          "measured on this model.</p>\n",
          out);
}

/* ---- The page ------------------------------------------------------------------------- */

static void summary(FILE *out, const struct situation *s, const struct plan *plan)
{
    char verdict[96], command[2048], architecture[64];
    plan_verdict(verdict, sizeof verdict, plan, s->subject);
    gguf_str_escape(architecture, sizeof architecture, s->subject->h.architecture);
    fputs("<p>", out);
    chart_text(out, architecture);
    fprintf(out, ", %s parameters, weights %s%s%s. <strong>",
            term_count(s->weights->elements).text, term_bytes(s->weights->total).text,
            s->request->mix ? " as " : "", s->request->mix ? s->request->mix->name : "");
    fprintf(out, "It %s</strong> with a context of %s tokens", verdict,
            term_grouped(plan->run.context).text);
    if (plan->short_bytes)
        fprintf(out, ": %s are missing", term_bytes(plan->short_bytes).text);
    fprintf(out, ". Largest context: %s.</p>\n", term_grouped(plan->max_context).text);
    fprintf(out, "<p>Generation: %s; prompt: %s.</p>\n", speed_text(plan->generate).text,
            speed_text(plan->prompt).text);
    if (plan->verdict == VERDICT_NO)
        return;
    plan_command(command, sizeof command, s, plan);
    fputs("<pre>", out);
    chart_text(out, command);
    fputs("</pre>\n", out);
}

static void page(FILE *out, const struct situation *s, const struct plan *plan,
                 const struct quant_table *quants)
{
    char title[320];
    snprintf(title, sizeof title, "%s on this machine", s->subject->name);
    if (!s->machine->detected)
        snprintf(title, sizeof title, "%s", s->subject->name);
    chart_page_begin(out, title);
    summary(out, s, plan);
    device_chart(out, plan);
    context_chart(out, s, plan);
    context_table(out, s, plan);
    quant_chart(out, quants);
    fputs("<p>", out);
    chart_text(out, quants->reason);
    fputs(".</p>\n", out);
    quant_table(out, s, quants);
    fprintf(out, "<p>gguf-size (ggufkit) %s, engine %s: ", GGUFKIT_VERSION,
            plan->run.engine->name);
    chart_text(out, plan->run.engine->summary);
    fputs(".</p>\n", out);
    chart_page_end(out);
}

void report_html(const struct situation *s, const struct plan *plan,
                 const struct quant_table *quants)
{
    const char *path = s->request->report;
    FILE *out = fopen(path, s->request->force ? "w" : "wx");
    if (!out && errno == EEXIST)
        cli_die("%s: exists; --force replaces it", path);
    if (!out)
        cli_die("%s: cannot write: %s", path, strerror(errno));
    page(out, s, plan, quants);
    bool failed = ferror(out) != 0;
    if (fclose(out) != 0 || failed) {
        int error = errno;
        remove(path);
        cli_die("%s: cannot write: %s", path, strerror(error));
    }
}
