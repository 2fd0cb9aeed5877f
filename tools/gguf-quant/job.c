/* One run: open, plan, check, quantize, verify. */
#include "tools/gguf-quant/job.h"
#include "tools/common/calibrate.h"
#include "tools/common/signals.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define IMATRIX_TEXT_MAX 127 /* bytes that engines keep of a provenance string */

const struct gguf_tensor *job_tensor(const struct job *job, const struct quant_item *item)
{
    return gguf_tensor_at(job->model, item->choice.tensor);
}

uint64_t job_item_bytes(const struct job *job, const struct quant_item *item)
{
    uint64_t bytes = 0;
    gguf_type_bytes(item->choice.type, job_tensor(job, item)->elements, &bytes);
    return bytes;
}

static void must(enum gguf_status status, const struct gguf_error *err)
{
    if (status)
        cli_die("%s", err->message);
}

/* ---- Importance ------------------------------------------------------------------------ */

static bool name_contains(struct gguf_str name, const char *part)
{
    size_t n = strlen(part);
    for (size_t i = 0; i + n <= name.size; i++) {
        if (memcmp(name.data + i, part, n) == 0)
            return true;
    }
    return false;
}

static bool contains_any(struct gguf_str name, const struct words *parts)
{
    for (size_t i = 0; i < parts->n; i++) {
        if (name_contains(name, parts->word[i]))
            return true;
    }
    return false;
}

static bool is_used(const struct request *r, struct gguf_str name)
{
    if (r->include.n)
        return contains_any(name, &r->include);
    return !contains_any(name, &r->exclude);
}

static bool is_tensor(const struct gguf *model, struct gguf_str name)
{
    char text[GGUF_MAX_NAME + 1];
    if (name.size >= sizeof text)
        return false;
    memcpy(text, name.data, name.size);
    text[name.size] = '\0';
    return gguf_tensor_find(model, text) != NULL;
}

static void open_imatrix(struct job *job)
{
    struct gguf_error err;
    const char *path = job->request->imatrix;
    if (quant_imatrix_open(&job->imatrix, path, &err))
        die_of(path, &err);
}

static void run_calibration(struct calibration *c, bool quiet)
{
    struct progress progress;
    progress_start(&progress, "tokens", c->chunks * c->chunk, quiet);
    for (size_t i = 0; i < c->chunks; i++) {
        calibration_chunk(c, i);
        progress_update(&progress, (i + 1) * c->chunk, text_str("calibrating"));
    }
    progress_end(&progress);
}

/* The importance of a text, as gguf-imatrix computes it: the same numbers as its file has. */
static void calibrate(struct job *job)
{
    const struct request *r = job->request;
    const struct calibration_request request = {.model = r->input,
                                                .text = r->calibrate,
                                                .chunk = r->chunk,
                                                .chunks = r->chunks,
                                                .threads = r->threads,
                                                .cpu = r->cpu};
    const struct gguf_str text = text_str(r->calibrate);
    struct quant_origin origin = {.datasets = &text, .n_datasets = 1};
    struct calibration c;
    struct quant_tally *tally;
    struct gguf_error err;
    must(quant_tally_new(&tally, &err), &err);
    calibration_open(&c, &request, tally);
    run_calibration(&c, r->quiet);
    origin.chunk = c.chunk;
    must(quant_imatrix_from_tally(&job->imatrix, tally, &origin, &err), &err);
    calibration_close(&c);
    quant_tally_free(tally);
}

/* Counts the entries that are used; none is a mistake. */
static void check_importance(struct job *job, const char *path)
{
    size_t known = 0;
    for (size_t i = 0; i < quant_imatrix_count(job->imatrix); i++) {
        struct gguf_str name = quant_imatrix_at(job->imatrix, i)->name;
        if (is_used(job->request, name)) {
            job->imatrix_entries++;
            known += is_tensor(job->model, name);
        }
    }
    if (job->imatrix_entries == 0)
        cli_die("%s: no entry is left to use", path);
    if (known == 0)
        cli_die("%s: none of its %zu entries names a tensor of %s: it is for another model",
                path, job->imatrix_entries, job->request->input);
}

bool job_takes_importance(const struct job *job, const struct quant_item *item)
{
    const struct gguf_type_info *info = gguf_type_find(item->choice.type);
    return info->block_elements > 1 && item->choice.type != job_tensor(job, item)->type;
}

static void assign_importance(struct job *job, struct quant_item *item)
{
    struct gguf_str name = job_tensor(job, item)->name;
    if (job->imatrix && job_takes_importance(job, item) && is_used(job->request, name))
        item->importance = quant_imatrix_find(job->imatrix, name);
}

/* What is of little use without importance llama-quantize refuses to make so. */
static void warn_without_importance(const struct job *job)
{
    const struct quant_mix *mix = job->request->recipe.mix;
    if (mix->wants_importance && !job->imatrix)
        cli_warning("%s without an importance matrix (--imatrix, --calibrate) loses much; %s "
                    "loses less",
                    mix->name, gguf_type_find(mix->base)->name);
}

/* ---- Plan ------------------------------------------------------------------------ */

static void choose_types(struct job *job)
{
    struct gguf_error err;
    size_t n = gguf_tensor_count(job->model);
    struct quant_choice *choices = cli_alloc(n, sizeof *choices);
    struct quant_recipe recipe = job->request->recipe;
    recipe.overrides = job->request->overrides;
    recipe.n_overrides = job->request->n_overrides;
    recipe.has_imatrix = job->request->imatrix || job->request->calibrate;
    must(quant_recipe_apply(job->model, &recipe, job->request->keep_split, choices, &err),
         &err);
    job->items = cli_alloc(n, sizeof *job->items);
    job->n_items = n;
    for (size_t i = 0; i < n; i++)
        job->items[i].choice = choices[i];
    free(choices);
}

/* The first bytes of a string, not cutting a UTF-8 sequence in two. */
static struct gguf_str shortened(struct gguf_str s)
{
    if (s.size <= IMATRIX_TEXT_MAX)
        return s;
    s.size = IMATRIX_TEXT_MAX;
    while (s.size > 0 && ((unsigned char)s.data[s.size] & 0xc0) == 0x80)
        s.size--;
    return s;
}

static void set_string(struct job *job, const char *key, struct gguf_str value)
{
    struct gguf_error err;
    must(gguf_writer_set_string(job->writer, key, value, &err), &err);
}

static void set_u32(struct job *job, const char *key, uint64_t value)
{
    struct gguf_error err;
    uint32_t narrow = value < UINT32_MAX ? (uint32_t)value : UINT32_MAX;
    must(gguf_writer_set_u32(job->writer, key, narrow, &err), &err);
}

/* The keys that llama-quantize sets. */
static void set_provenance(struct job *job)
{
    struct gguf_str dataset = quant_imatrix_dataset(job->imatrix);
    uint64_t chunks = quant_imatrix_chunks(job->imatrix);
    if (job->request->imatrix)
        set_string(job, "quantize.imatrix.file", shortened(text_str(job->request->imatrix)));
    if (dataset.size)
        set_string(job, "quantize.imatrix.dataset", shortened(dataset));
    set_u32(job, "quantize.imatrix.entries_count", job->imatrix_entries);
    if (chunks)
        set_u32(job, "quantize.imatrix.chunks_count", chunks);
}

static void set_metadata(struct job *job)
{
    struct gguf_error err;
    const struct request *r = job->request;
    must(quant_declare_metadata(job->writer, job->model, r->recipe.mix, &err), &err);
    if (job->imatrix)
        set_provenance(job);
    for (size_t i = 0; i < r->metadata.n; i++)
        override_apply(job->writer, job->model, r->metadata.word[i]);
}

static void declare_output(struct job *job)
{
    struct gguf_error err;
    const struct request *r = job->request;
    struct gguf_writer_options options = {.overwrite = r->force, .shard_bytes = r->shard_bytes};
    must(gguf_writer_new(&job->writer, r->output, &options, &err), &err);
    set_metadata(job);
    for (size_t i = 0; i < job->n_items; i++) {
        uint32_t file = job_tensor(job, &job->items[i])->file;
        must(quant_declare_tensor(job->writer, job->model, &job->items[i].choice,
                                  r->keep_split ? file : GGUF_SHARD_AUTO, &err),
             &err);
    }
    must(gguf_writer_total_bytes(job->writer, &job->output_bytes, &err), &err);
}

/* An output that is one of the inputs would be destroyed by its own making. */
static void refuse_input_as_output(const struct job *job, const char *output)
{
    refuse_model(output, job->model);
    cli_refuse_input(output, job->request->imatrix);
    cli_refuse_input(output, job->request->calibrate);
}

static void open_model(struct job *job)
{
    struct gguf_error err;
    must(gguf_open(&job->model, job->request->input, 0, &err), &err);
    for (size_t i = 0; i < gguf_file_count(job->model); i++)
        job->input_bytes += gguf_file_at(job->model, i)->file_bytes;
    if (gguf_tensor_count(job->model) == 0)
        cli_die("%s: holds no tensors, so there is nothing to quantize", job->request->input);
}

/* A dry run answers for quantized sources too, and says what a real one would. */
static void check_items(const struct job *job)
{
    struct gguf_error err;
    struct quant_settings settings = {.requantize = job->request->requantize,
                                      .cpu = job->request->cpu};
    enum gguf_status status =
        quant_check(job->model, job->items, job->n_items, &settings, &err);
    if (status == GGUF_ERR_ARGUMENT && job->request->dry_run) {
        cli_warning("%s; a real run needs --allow-requantize", err.message);
        settings.requantize = true;
        status = quant_check(job->model, job->items, job->n_items, &settings, &err);
    } else if (status == GGUF_ERR_ARGUMENT) {
        cli_die("%s; --allow-requantize does it all the same", err.message);
    }
    must(status, &err);
}

/* What would stop the run is found before a text is evaluated for a long time. */
static void check_before_calibration(const struct job *job)
{
    const struct request *r = job->request;
    check_items(job);
    refuse_input_as_output(job, r->output);
    if (r->output && !r->force && !r->dry_run && access(r->output, F_OK) == 0)
        cli_die("%s: exists already; --force replaces it", r->output);
}

static void get_importance(struct job *job)
{
    const struct request *r = job->request;
    if (r->calibrate) {
        check_before_calibration(job);
        calibrate(job);
    }
    if (job->imatrix)
        check_importance(job, r->imatrix ? r->imatrix : r->calibrate);
    for (size_t i = 0; i < job->n_items; i++)
        assign_importance(job, &job->items[i]);
}

void job_plan(struct job *job, const struct request *request)
{
    *job = (struct job){.request = request};
    open_model(job);
    if (request->imatrix)
        open_imatrix(job);
    choose_types(job);
    get_importance(job);
    declare_output(job);
    check_items(job);
    if (request->dry_run)
        return;
    refuse_input_as_output(job, request->output);
    for (size_t i = 0; i < gguf_writer_file_count(job->writer); i++)
        refuse_input_as_output(job, gguf_writer_file_path(job->writer, i));
    warn_without_importance(job);
}

/* ---- Run ------------------------------------------------------------------------- */

/* Signals ask the run to stop between two chunks; a second one ends it at once. */
static volatile sig_atomic_t caught_signal;
static struct gguf_writer *volatile writer_to_abandon;

static void on_signal(int number)
{
    if (caught_signal) {
        gguf_writer_abandon(writer_to_abandon);
        _exit(128 + number);
    }
    caught_signal = number;
}

/* The OpenMP runtime ends the program when it has no memory. */
static void on_exit_abandon(void)
{
    gguf_writer_abandon(writer_to_abandon);
}

static void catch_signals(struct gguf_writer *writer)
{
    writer_to_abandon = writer;
    atexit(on_exit_abandon);
    signals_catch(on_signal);
}

/* What a person sees while it runs. */
struct watch {
    struct progress progress;
    bool quiet, verifying;
};

static bool show_progress(void *context, uint64_t done, struct gguf_str tensor)
{
    struct watch *watch = context;
    char text[192];
    snprintf(text, sizeof text, "%s%.*s", watch->verifying ? "reading back " : "",
             (int)tensor.size, tensor.data);
    progress_update(&watch->progress, done, text_str(text));
    return !caught_signal;
}

static uint64_t source_bytes(const struct job *job)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i < job->n_items; i++)
        bytes += job_tensor(job, &job->items[i])->bytes;
    return bytes;
}

static uint64_t target_bytes(const struct job *job)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i < job->n_items; i++)
        bytes += job_item_bytes(job, &job->items[i]);
    return bytes;
}

static enum gguf_status verify_output(struct job *job, const struct quant_settings *settings,
                                      struct watch *watch, struct gguf_error *err)
{
    if (!job->request->verify)
        return GGUF_OK;
    progress_end(&watch->progress);
    progress_start(&watch->progress, NULL, target_bytes(job), watch->quiet);
    watch->verifying = true;
    return quant_verify(job->model, job->writer, job->items, job->n_items, settings, err);
}

/* The old output, if there is one, stays until the new one is known to be good. */
static enum gguf_status write_output(struct job *job, struct watch *watch,
                                     struct gguf_error *err)
{
    const struct request *r = job->request;
    struct quant_settings settings = {.requantize = r->requantize,
                                      .threads = r->threads,
                                      .preset = r->preset,
                                      .cpu = r->cpu,
                                      .progress = show_progress,
                                      .context = watch};
    progress_start(&watch->progress, NULL, source_bytes(job), watch->quiet);
    enum gguf_status status = gguf_writer_begin(job->writer, err);
    if (!status)
        status = quant_run(job->model, job->writer, job->items, job->n_items, &settings, err);
    if (!status)
        status = verify_output(job, &settings, watch, err);
    if (!status)
        status = gguf_writer_finish(job->writer, err);
    progress_end(&watch->progress);
    return status;
}

int job_run(struct job *job)
{
    struct gguf_error err;
    struct watch watch = {.quiet = job->request->quiet};
    double start = term_seconds();
    catch_signals(job->writer);
    enum gguf_status status = write_output(job, &watch, &err);
    job->seconds = term_seconds() - start;
    if (status == GGUF_ERR_CANCELLED && caught_signal) {
        cli_error("stopped by signal %d; nothing was written", (int)caught_signal);
        return 128 + (int)caught_signal;
    }
    if (status == GGUF_ERR_EXISTS)
        cli_error("%s; --force replaces it", err.message);
    else if (status)
        cli_error("%s", err.message);
    return status ? CLI_TROUBLE : CLI_OK;
}

void job_free(struct job *job)
{
    writer_to_abandon = NULL;
    gguf_writer_free(job->writer);
    quant_imatrix_close(job->imatrix);
    gguf_close(job->model);
    free(job->items);
}
