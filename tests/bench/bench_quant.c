/*
 * bench_quant: speed and error of the encoders, per type and preset. Run it in the root of the
 * project: the inputs are looked for from there.
 */
#include "libgguf/gguf.h"
#include "quant/quant.h"
#include "tests/bench/compare.h"
#include "tests/bench/report.h"
#include "tests/bench/results.h"
#include "tools/common/cli.h"

#include <omp.h>
#include <stdlib.h>
#include <string.h>

enum option_id {
    OPT_TYPE = 1,
    OPT_PRESET,
    OPT_THREADS,
    OPT_IMATRIX,
    OPT_NO_SPEED,
    OPT_NO_ERRORS,
    OPT_CLASSES,
    OPT_MARKDOWN,
    OPT_JSON,
    OPT_SOURCE,
    OPT_REFERENCE,
    OPT_OURS,
    OPT_CHECK,
    OPT_WRITE,
    OPT_FORCE
};

static const struct cli_option options[] = {
    {OPT_TYPE, 0, "type", "TYPE", "this block format alone (repeatable)", true},
    {OPT_PRESET, 0, "preset", "PRESET", "fast, default or best alone", true},
    {OPT_THREADS, 't', "threads", "N", "threads besides one (all processors)", true},
    {OPT_IMATRIX, 0, "imatrix", "FILE",
     "importance for --source; without --source \"yes\" or \"no\": cases with or without alone",
     true},
    {OPT_NO_SPEED, 0, "no-speed", NULL, "errors alone", true},
    {OPT_NO_ERRORS, 0, "no-errors", NULL, "speed alone", true},
    {OPT_CLASSES, 0, "classes", NULL, "the errors of each class of rows too", true},
    {OPT_MARKDOWN, 0, "markdown", NULL, "tables in Markdown", true},
    {OPT_JSON, 0, "json", NULL, "print JSON", true},
    {OPT_SOURCE, 0, "source", "FILE", "compare on the tensors of this model", true},
    {OPT_REFERENCE, 0, "reference", "FILE", "with --source: another program's encoding of it",
     true},
    {OPT_OURS, 0, "ours", "FILE", "with --source: our encoding of it, not the presets", true},
    {OPT_CHECK, 0, "check", "FILE", "compare the errors with those of a results.csv", true},
    {OPT_WRITE, 0, "write", "FILE", "write a results.csv, unless something got worse", true},
    {OPT_FORCE, 'f', "force", NULL, "with --write: even if something got worse", true},
    {0},
};

static const char *const usage[] = {
    "[options]", "[options] --source F16.gguf --reference Q.gguf [--imatrix FILE]",
    "--check tests/results.csv", NULL};
static const char *const nothing[] = {NULL};

static const struct cli_program program = {
    .name = "bench_quant",
    .summary = "speed and error of the encoders",
    .usage = usage,
    .options = options,
    .description = nothing,
    .examples = nothing,
};

/* Which cases are run. */
struct selection {
    uint32_t types[64];
    size_t n_types;
    bool presets[3], without, with;
    bool speed, errors;
};

struct request {
    struct selection selection;
    struct bench_report report;
    struct bench_compare compare;
    const char *imatrix, *check, *write;
    bool force;
};

/* ---- Options --------------------------------------------------------------------------- */

static void take_type(struct selection *s, const char *name)
{
    const struct gguf_type_info *info = gguf_type_by_name(name);
    const struct quant_format *format = info ? quant_format_find(info->id) : NULL;
    if (!format || !format->encode)
        cli_die("--type: there is no encoder for \"%s\"", name);
    if (s->n_types == sizeof s->types / sizeof s->types[0])
        cli_die("--type: too many types");
    s->types[s->n_types++] = info->id;
}

static void take_preset(struct selection *s, const char *name)
{
    enum quant_preset preset;
    if (!quant_preset_find(name, &preset))
        cli_die("--preset: expected fast, default or best, found \"%s\"", name);
    s->presets[preset] = true;
}

static void take_option(struct request *r, int id, const char *value)
{
    switch (id) {
    case OPT_TYPE:
        take_type(&r->selection, value);
        break;
    case OPT_PRESET:
        take_preset(&r->selection, value);
        break;
    case OPT_THREADS:
        r->report.threads = (int)cli_parse_u64("threads", value, 1, 1024);
        break;
    case OPT_IMATRIX:
        r->imatrix = value;
        break;
    case OPT_NO_SPEED:
        r->selection.speed = false;
        break;
    case OPT_NO_ERRORS:
        r->selection.errors = false;
        break;
    case OPT_CLASSES:
        r->report.classes = true;
        break;
    case OPT_MARKDOWN:
        r->report.output = BENCH_MARKDOWN;
        break;
    case OPT_JSON:
        r->report.output = BENCH_JSON;
        break;
    case OPT_SOURCE:
        r->compare.source = value;
        break;
    case OPT_REFERENCE:
        r->compare.reference = value;
        break;
    case OPT_OURS:
        r->compare.ours = value;
        break;
    case OPT_CHECK:
        r->check = value;
        break;
    case OPT_WRITE:
        r->write = value;
        break;
    case OPT_FORCE:
        r->force = true;
        break;
    default:
        break;
    }
}

static void select_imatrix(struct selection *s, const char *value)
{
    if (value && strcmp(value, "yes") != 0 && strcmp(value, "no") != 0)
        cli_die("--imatrix: expected yes or no without --source, found \"%s\"", value);
    s->with = !value || strcmp(value, "yes") == 0;
    s->without = !value || strcmp(value, "no") == 0;
}

static void finish_options(struct request *r)
{
    struct selection *s = &r->selection;
    if (!s->presets[0] && !s->presets[1] && !s->presets[2])
        s->presets[0] = s->presets[1] = s->presets[2] = true;
    if (!r->compare.source)
        select_imatrix(s, r->imatrix);
    if (!r->compare.source && (r->compare.reference || r->compare.ours))
        cli_die("--reference and --ours need --source");
    if (r->compare.source && !r->compare.reference)
        cli_die("--source needs --reference");
    r->compare.imatrix = r->imatrix;
    r->compare.cpu = r->report.cpu;
    r->compare.output = r->report.output;
    memcpy(r->compare.presets, s->presets, sizeof s->presets);
}

/* ---- Running ------------------------------------------------------------------------ */

static bool selected(const struct selection *s, const struct bench_case *c)
{
    bool type = s->n_types == 0;
    for (size_t i = 0; i < s->n_types; i++)
        type = type || s->types[i] == c->type;
    return type && s->presets[c->preset] && (c->imatrix ? s->with : s->without);
}

static void add_errors(struct bench_report *r, const struct bench_case *c)
{
    for (size_t i = 0; i < r->n_sets; i++) {
        r->results = cli_grow(r->results, r->n_results + 1, sizeof *r->results);
        r->results[r->n_results++] = bench_measure(&r->sets[i], c);
    }
}

static void add_rounding(struct bench_report *r, struct bench_timing *t, uint32_t type)
{
    const struct bench_type *row = bench_type_find(type);
    if (!row->sub_block || (r->n_rounding && r->rounding[r->n_rounding - 1].type == type))
        return;
    r->rounding = cli_grow(r->rounding, r->n_rounding + 1, sizeof *r->rounding);
    r->rounding[r->n_rounding++] = (struct bench_floor){
        type, {bench_speed_round(t, row, 1), bench_speed_round(t, row, r->threads)}};
}

/* The first row of a type measures its decoder, whose blocks the encoder has just left. */
static void add_decode(struct bench_report *r, struct bench_timing *t,
                       const struct bench_case *c)
{
    struct bench_speed *s = &r->speeds[r->n_speeds - 1];
    const struct bench_speed *before = r->n_speeds > 1 ? s - 1 : NULL;
    for (int i = 0; i < 2; i++)
        s->decode[i] = before && before->type == c->type
                           ? before->decode[i]
                           : bench_speed_decode(t, c, i ? r->threads : 1);
}

/* The cases without and with an imatrix share a row. */
static void add_speed(struct bench_report *r, struct bench_timing *t,
                      const struct bench_case *c)
{
    struct bench_speed *s = r->n_speeds ? &r->speeds[r->n_speeds - 1] : NULL;
    bool begins = !s || s->type != c->type || s->preset != c->preset;
    if (begins) {
        add_rounding(r, t, c->type);
        r->speeds = cli_grow(r->speeds, r->n_speeds + 1, sizeof *r->speeds);
        s = &r->speeds[r->n_speeds++];
        *s = (struct bench_speed){.type = c->type, .preset = c->preset};
    }
    double *encode = c->imatrix ? s->imatrix : s->plain;
    for (int i = 0; i < 2; i++)
        encode[i] = bench_speed_encode(t, c, i ? r->threads : 1);
    if (begins)
        add_decode(r, t, c);
}

static void run_cases(struct bench_report *r, const struct selection *s)
{
    struct bench_timing timing;
    struct bench_case c;
    r->load = bench_load();
    bench_timing_make(&timing);
    if (s->speed) {
        r->memcpy_speed[0] = bench_speed_memcpy(&timing, 1);
        r->memcpy_speed[1] = bench_speed_memcpy(&timing, r->threads);
    }
    for (size_t i = 0; bench_case_at(&c, r->cpu, i); i++) {
        if (!selected(s, &c))
            continue;
        if (s->errors)
            add_errors(r, &c);
        if (s->speed)
            add_speed(r, &timing, &c);
    }
    r->slower = timing.n ? timing.slower / (double)timing.n : 0;
    bench_timing_free(&timing);
}

static void load_sets(struct bench_report *r, struct bench_set *sets, size_t most)
{
    r->sets = sets;
    while (r->n_sets < most && bench_set_load(&sets[r->n_sets], r->n_sets)) {
        if (!sets[r->n_sets].n)
            cli_warning("the files of the set \"%s\" are absent", sets[r->n_sets].name);
        r->n_sets++;
    }
}

static void report_free(struct bench_report *r, struct bench_set *sets)
{
    for (size_t i = 0; i < r->n_results; i++)
        bench_result_free(&r->results[i]);
    for (size_t i = 0; i < r->n_sets; i++)
        bench_set_free(&sets[i]);
    free(r->results);
    free(r->speeds);
    free(r->rounding);
    r->sets = NULL;
}

static int run_bench(struct request *r)
{
    struct bench_set sets[8];
    load_sets(&r->report, sets, sizeof sets / sizeof sets[0]);
    run_cases(&r->report, &r->selection);
    if (r->report.output == BENCH_JSON)
        bench_report_json(&r->report);
    else
        bench_report_print(&r->report);
    report_free(&r->report, sets);
    return CLI_OK;
}

int main(int argc, char **argv)
{
    struct cli cli;
    struct request r = {
        .selection = {.speed = true, .errors = true},
        .report = {.threads = omp_get_num_procs()},
    };
    int n;
    cli_start(&cli, &program, argc, argv);
    for (int id; (id = cli_next(&cli)) != CLI_END;)
        take_option(&r, id, cli.value);
    cli_positionals(&cli, 0, 0, &n);
    r.report.cpu = cli.cpu;
    finish_options(&r);
    int code = r.write            ? bench_results_write(r.write, r.force)
               : r.check          ? bench_results_check(r.check)
               : r.compare.source ? bench_compare_models(&r.compare)
                                  : run_bench(&r);
    return cli_finish(&cli, code);
}
