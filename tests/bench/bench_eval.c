/*
 * bench_eval: speed of the forward pass on chunks of 512 tokens, the second half's logits
 * wanted, as perplexity needs them: tokens/s, GFLOPS, the share of the machine's peak, and the
 * memory beside the weights.
 *
 * The share is the time in which the machine could do the operations, over the time that they
 * took: those of products in floats at the peak of fused multiply-adds, those of products in
 * integers at the peak of dot products of bytes (peak.h), measured in the same run with as many
 * threads. A multiply-add is two operations; those of the weights' matrices and of attention
 * count, the ones that a causal mask discards do not.
 */
#include "model/model.h"
#include "model/pack.h"
#include "tests/bench/peak.h"
#include "tools/common/json.h"
#include "tools/common/term.h"
#include "tools/common/text.h"

#include <omp.h>
#include <stdlib.h>
#include <string.h>

enum { CHUNK = 512, WANTED = CHUNK / 2 };

enum option_id { OPT_CHUNKS = 1, OPT_THREADS, OPT_ACTIVATIONS, OPT_JSON };

static const struct cli_option options[] = {
    {OPT_CHUNKS, 0, "chunks", "N", "the best of N chunks (2), besides a first one", true},
    {OPT_THREADS, 't', "threads", "N", "threads besides one (all processors)", true},
    {OPT_ACTIVATIONS, 0, "activations", "f32|q8", "as in gguf-eval (q8)", true},
    {OPT_JSON, 0, "json", NULL, "print JSON", true},
    {0},
};

static const char *const usage[] = {"[options] MODEL.gguf", NULL};
static const char *const nothing[] = {NULL};

static const struct cli_program program = {
    .name = "bench_eval",
    .summary = "speed of the forward pass, and its share of the machine's peak",
    .usage = usage,
    .options = options,
    .description = nothing,
    .examples = nothing,
};

struct request {
    const char *path;
    struct model_settings settings;
    int chunks, threads;
    bool json;
};

/* Operations of one chunk. */
struct work {
    double floats, integers;
};

/* With one number of threads. */
struct run {
    int threads;
    double seconds; /* of the best chunk */
    struct bench_peak peak;
    struct work work;
    uint64_t context_bytes;
    double check; /* a logit: the work was done */
};

/* ---- Operations ------------------------------------------------------------------ */

static double attention_operations(const struct model *model)
{
    double sum = 0.0;
    for (uint32_t il = 0; il < model_layers(model); il++) {
        struct model_heads heads = model_heads(model, il);
        double window = model->h.layer[il].sliding ? model->h.window : CHUNK, seen = 0.0;
        for (int position = 0; position < CHUNK; position++)
            seen += position + 1 < window ? position + 1 : window;
        sum += 2.0 * seen * heads.heads * ((double)heads.key + heads.value);
    }
    return sum;
}

/* `tokens` inputs times all experts of a weight. */
static void add_products(const struct model *model, const struct model_weight *w, double tokens,
                         struct work *work)
{
    if (!w || w->vector)
        return;
    double operations =
        2.0 * tokens * (double)w->columns * (double)w->rows * (double)w->experts;
    if (pack_kind_of(model, w, CHUNK).integers)
        work->integers += operations;
    else
        work->floats += operations;
}

static struct work work_of(const struct model *model)
{
    struct work work = {attention_operations(model), 0.0};
    for (uint32_t il = 0; il < model_layers(model); il++)
        for (size_t role = 0; role < ROLE_COUNT; role++) {
            const struct model_weight *w = model->layers[il].w[role];
            bool routed = role >= ROLE_GATE_EXPS && role <= ROLE_DOWN_EXPS;
            double used =
                routed && w ? model->h.layer[il].experts_used / (double)w->experts : 1;
            add_products(model, w, used * CHUNK, &work);
        }
    add_products(model, model->global[GLOBAL_OUTPUT], WANTED, &work);
    return work;
}

/* ---- Runs ------------------------------------------------------------------------ */

static void must(enum gguf_status status, const char *path, const struct gguf_error *err)
{
    if (status)
        die_of(path, err);
}

static float evaluate(const char *path, struct model_context *context, float *logits,
                      size_t vocab)
{
    static uint32_t tokens[CHUNK];
    static bool wanted[CHUNK];
    struct gguf_error err;
    for (size_t i = 0; i < CHUNK; i++) {
        tokens[i] = (uint32_t)(i * 2654435761u % vocab);
        wanted[i] = i >= CHUNK - WANTED;
    }
    struct model_batch batch = {.tokens = tokens, .wanted = wanted, .n = CHUNK};
    model_context_reset(context);
    must(model_eval(context, &batch, &err), path, &err);
    must(model_logits(context, 0, WANTED, logits, &err), path, &err);
    return logits[0];
}

static void time_chunks(const struct request *r, struct model_context *context, size_t vocab,
                        struct run *run)
{
    float *logits = cli_alloc(WANTED * vocab, sizeof *logits);
    run->check = (double)evaluate(r->path, context, logits, vocab);
    run->seconds = 1e30;
    for (int i = 0; i < r->chunks; i++) {
        double start = term_seconds();
        (void)evaluate(r->path, context, logits, vocab);
        double seconds = term_seconds() - start;
        run->seconds = seconds < run->seconds ? seconds : run->seconds;
    }
    free(logits);
}

/* The peak is measured before and after: other work on the machine comes and goes. */
static struct run measure(const struct request *r, const struct gguf *gguf, int threads)
{
    struct run run = {.threads = threads};
    struct model *model;
    struct model_context *context;
    struct gguf_error err;
    struct model_settings settings = r->settings;
    struct model_shape shape = {CHUNK, 1};
    settings.threads = threads;
    must(model_open(&model, gguf, &settings, &err), r->path, &err);
    must(model_context_new(&context, model, &shape, &err), r->path, &err);
    run.work = work_of(model);
    bench_peak_raise(&run.peak, settings.cpu, threads);
    time_chunks(r, context, model_hparams(model)->vocab, &run);
    bench_peak_raise(&run.peak, settings.cpu, threads);
    run.context_bytes = model_context_bytes(context);
    model_context_free(context);
    model_close(model);
    return run;
}

static double share_of_peak(const struct run *run)
{
    double least =
        run->work.floats / run->peak.floats + run->work.integers / run->peak.integers;
    return least / run->seconds;
}

static double speed_of(const struct run *run)
{
    return (run->work.floats + run->work.integers) / run->seconds;
}

/* ---- Output ---------------------------------------------------------------------- */

static void print_text(const struct request *r, const struct run *runs, size_t n)
{
    struct table *table = table_new("rrrrrrr");
    static const char *const heads[] = {"threads",   "tokens/s",  "GFLOPS", "of peak",
                                        "peak FMAs", "peak int8", "context"};
    for (size_t i = 0; i < sizeof heads / sizeof heads[0]; i++)
        table_cell(table, heads[i]);
    for (size_t i = 0; i < n; i++) {
        const struct run *run = &runs[i];
        table_cellf(table, "%d", run->threads);
        table_cellf(table, "%.1f", CHUNK / run->seconds);
        table_cellf(table, "%.1f", speed_of(run) * 1e-9);
        table_cellf(table, "%.1f %%", 100.0 * share_of_peak(run));
        table_cellf(table, "%.1f", run->peak.floats * 1e-9);
        table_cellf(table, "%.1f", run->peak.integers * 1e-9);
        table_cell(table, term_bytes(run->context_bytes).text);
    }
    printf("%s, %s, activations %s: %.0f %% of %.2f GFLOP a chunk of %d in integers\n", r->path,
           quant_cpu_name(r->settings.cpu),
           r->settings.activations == MODEL_ACTIVATIONS_F32 ? "f32" : "q8",
           100.0 * runs->work.integers / (runs->work.integers + runs->work.floats),
           (runs->work.integers + runs->work.floats) * 1e-9, CHUNK);
    table_print(table, stdout, 0, true);
    printf("Peaks in 10^9 operations a second; the share is the time of the operations at the "
           "peaks over the time taken.\n");
    table_free(table);
}

static void print_json(const struct request *r, const struct run *runs, size_t n)
{
    cJSON *root = json_object(), *list = json_add_array(root, "runs");
    json_text(root, "model", r->path);
    json_text(root, "cpu", quant_cpu_name(r->settings.cpu));
    json_text(root, "activations",
              r->settings.activations == MODEL_ACTIVATIONS_F32 ? "f32" : "q8");
    json_u64(root, "chunk", CHUNK);
    for (size_t i = 0; i < n; i++) {
        const struct run *run = &runs[i];
        cJSON *row = json_add_object(list, NULL);
        json_u64(row, "threads", (uint64_t)run->threads);
        json_f64(row, "tokens_per_second", CHUNK / run->seconds);
        json_f64(row, "gflops", speed_of(run) * 1e-9);
        json_f64(row, "share_of_peak", share_of_peak(run));
        json_f64(row, "peak_fma_gflops", run->peak.floats * 1e-9);
        json_f64(row, "peak_int8_gops", run->peak.integers * 1e-9);
        json_f64(row, "float_operations", run->work.floats);
        json_f64(row, "integer_operations", run->work.integers);
        json_u64(row, "context_bytes", run->context_bytes);
        json_f64(row, "logit", run->check);
    }
    json_print(root);
}

static void take_option(struct request *r, int id, const char *value)
{
    if (id == OPT_CHUNKS)
        r->chunks = (int)cli_parse_u64("chunks", value, 1, 10000);
    else if (id == OPT_THREADS)
        r->threads = (int)cli_parse_u64("threads", value, 1, 1024);
    else if (id == OPT_ACTIVATIONS)
        r->settings.activations = parse_activations(value);
    else if (id == OPT_JSON)
        r->json = true;
}

int main(int argc, char **argv)
{
    struct cli cli;
    struct request r = {.chunks = 2, .threads = omp_get_num_procs()};
    struct run runs[2];
    int n;
    cli_start(&cli, &program, argc, argv);
    for (int id; (id = cli_next(&cli)) != CLI_END;)
        take_option(&r, id, cli.value);
    r.path = *cli_positionals(&cli, 1, 1, &n);
    r.settings.cpu = cli.cpu;
    r.settings.has_cpu = true;
    struct gguf *gguf = open_file(r.path, GGUF_OPEN_MAP);
    size_t count = r.threads > 1 ? 2 : 1;
    for (size_t i = 0; i < count; i++)
        runs[i] = measure(&r, gguf, i == 0 ? 1 : r.threads);
    (r.json ? print_json : print_text)(&r, runs, count);
    gguf_close(gguf);
    return cli_finish(&cli, CLI_OK);
}
