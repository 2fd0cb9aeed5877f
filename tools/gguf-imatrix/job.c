/* One run: merge, go on with an older output, evaluate, save. */
#include "tools/gguf-imatrix/imatrix.h"
#include "tools/common/signals.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- The output ------------------------------------------------------------------ */

/* Dies if the folder of the output is not there, before the work is done. */
static void check_folder(const char *path)
{
    const char *slash = strrchr(path, '/');
    size_t n = slash ? (size_t)(slash - path) + 1 : 1;
    char *folder = cli_alloc(n + 1, 1);
    memcpy(folder, slash ? path : ".", n);
    if (access(folder, W_OK | X_OK) != 0)
        cli_die("%s: cannot be written: %s", path, strerror(errno));
    free(folder);
}

/* Dies if the output cannot be written, or is one of the inputs. */
static void check_output(const struct request *r)
{
    struct stat out;
    check_folder(r->output);
    if (stat(r->output, &out) != 0)
        return;
    if (!S_ISREG(out.st_mode))
        cli_die("%s: cannot be written: not a regular file", r->output);
    if (r->calibration.model) {
        struct gguf *model = open_file(r->calibration.model, 0);
        refuse_model(r->output, model);
        gguf_close(model);
    }
    cli_refuse_input(r->output, r->calibration.text);
    for (size_t i = 0; i < r->n_inputs; i++)
        cli_refuse_input(r->output, r->inputs[i]);
}

static volatile sig_atomic_t caught_signal, is_saving;

/* A second signal does not wait for the end of the chunk. */
static void on_signal(int number)
{
    if (caught_signal && !is_saving)
        _exit(128 + number);
    caught_signal = number;
}

static void save(const struct job *job)
{
    const struct request *r = job->request;
    struct gguf_error err;
    struct quant_origin origin = {.datasets = job->datasets,
                                  .n_datasets = job->n_datasets,
                                  .chunk = job->chunk,
                                  .is_legacy = r->is_legacy};
    if (r->calibration.text) {
        origin.text = text_str(job->calibration.text_print);
        origin.model = text_str(job->calibration.model_print);
        origin.done = (uint32_t)job->done;
    }
    is_saving = 1;
    if (quant_imatrix_write(job->tally, r->output, &origin, &err) != GGUF_OK)
        die_of(r->output, &err);
    is_saving = 0;
}

/* ---- Inputs ---------------------------------------------------------------------- */

static void add_dataset(struct job *job, struct gguf_str dataset)
{
    job->datasets = cli_grow(job->datasets, job->n_datasets + 1, sizeof *job->datasets);
    job->datasets[job->n_datasets++] = dataset;
}

static const struct quant_imatrix *open_imatrix(struct job *job, const char *path)
{
    struct gguf_error err;
    struct quant_imatrix *imatrix;
    if (quant_imatrix_open(&imatrix, path, &err) != GGUF_OK)
        die_of(path, &err);
    job->opened = cli_grow(job->opened, job->n_opened + 1, sizeof(*job->opened));
    job->opened[job->n_opened++] = imatrix;
    return imatrix;
}

static void merge(struct job *job, const struct quant_imatrix *imatrix, const char *path)
{
    const struct quant_origin *origin = quant_imatrix_origin(imatrix);
    struct gguf_error err;
    if (quant_tally_merge(job->tally, imatrix, job->chunk, &err) != GGUF_OK)
        die_of(path, &err);
    for (size_t i = 0; i < origin->n_datasets; i++)
        add_dataset(job, origin->datasets[i]);
}

static uint32_t choose_chunk(const struct job *job)
{
    const struct request *r = job->request;
    if (r->calibration.text)
        return job->calibration.chunk;
    if (r->calibration.chunk)
        return (uint32_t)r->calibration.chunk;
    for (size_t i = 0; i < job->n_opened; i++) {
        uint32_t chunk = quant_imatrix_origin(job->opened[i])->chunk;
        if (chunk)
            return chunk;
    }
    return USUAL_CHUNK;
}

/* Dies unless the older output comes from the same run. */
static void check_origin(const struct job *job, const struct quant_origin *origin)
{
    const char *path = job->request->output;
    const struct calibration *c = &job->calibration;
    if (origin->is_legacy || origin->text.size == 0)
        cli_die("%s: does not say what it was made from, so --resume cannot go on with it; add "
                "to it with --in",
                path);
    if (origin->chunk != c->chunk)
        cli_die("%s: was made with chunks of %u tokens, not of %u; give --chunk %u, or leave "
                "--resume out",
                path, origin->chunk, c->chunk, origin->chunk);
    if (!gguf_str_equal(origin->text, c->text_print))
        cli_die("%s: was made from another text than %s; add to it with --in, or leave "
                "--resume out",
                path, job->request->calibration.text);
    if (!gguf_str_equal(origin->model, c->model_print))
        cli_die("%s: was made with another model than %s, or with other --activations or "
                "--process-output; leave --resume out",
                path, job->request->calibration.model);
}

/* Takes over what the output holds. */
static void resume(struct job *job)
{
    const char *path = job->request->output;
    if (access(path, F_OK) != 0)
        return;
    const struct quant_imatrix *imatrix = open_imatrix(job, path);
    const struct quant_origin *origin = quant_imatrix_origin(imatrix);
    check_origin(job, origin);
    merge(job, imatrix, path);
    job->start = job->done = origin->done;
}

static void take_inputs(struct job *job)
{
    const struct request *r = job->request;
    for (size_t i = 0; i < r->n_inputs; i++)
        open_imatrix(job, r->inputs[i]);
    job->chunk = choose_chunk(job);
    for (size_t i = 0; i < r->n_inputs; i++)
        merge(job, job->opened[i], r->inputs[i]);
    if (r->resume)
        resume(job);
    if (r->calibration.text && job->start == 0)
        add_dataset(job, text_str(r->calibration.text));
}

/* ---- The text -------------------------------------------------------------------- */

static void evaluate(struct job *job)
{
    const struct request *r = job->request;
    struct calibration *c = &job->calibration;
    struct progress progress;
    double start = term_seconds();
    size_t total = c->chunks > job->start ? c->chunks - job->start : 0, fresh = 0;
    progress_start(&progress, "tokens", total * c->chunk, r->quiet);
    while (fresh < total && !caught_signal) {
        calibration_chunk(c, job->done++);
        fresh++;
        if (r->save_every && fresh % r->save_every == 0 && fresh < total)
            save(job);
        progress_update(&progress, fresh * c->chunk, text_str(""));
    }
    progress_end(&progress);
    job->seconds = term_seconds() - start;
}

/* A run that a signal ended keeps what it has counted. */
static int stopped(const struct job *job)
{
    if (job->done == job->start)
        cli_error("stopped by signal %d; nothing was written", (int)caught_signal);
    else
        cli_error("stopped by signal %d after %zu of %zu chunks, which are saved in %s%s",
                  (int)caught_signal, job->done, job->calibration.chunks, job->request->output,
                  job->request->is_legacy ? "" : "; --resume goes on");
    return 128 + (int)caught_signal;
}

int job_run(struct job *job, const struct request *request)
{
    struct gguf_error err;
    *job = (struct job){.request = request};
    if (request->output)
        check_output(request);
    if (quant_tally_new(&job->tally, &err) != GGUF_OK)
        cli_die_memory();
    if (request->calibration.text)
        calibration_open(&job->calibration, &request->calibration, job->tally);
    take_inputs(job);
    if (request->output)
        signals_catch(on_signal);
    if (request->calibration.text)
        evaluate(job);
    if (request->output && (job->done > job->start || !request->calibration.text))
        save(job);
    return caught_signal && job->done < job->calibration.chunks ? stopped(job) : CLI_OK;
}

void job_free(struct job *job)
{
    if (job->request->calibration.text)
        calibration_close(&job->calibration);
    for (size_t i = 0; i < job->n_opened; i++)
        quant_imatrix_close(job->opened[i]);
    quant_tally_free(job->tally);
    free(job->opened);
    free(job->datasets);
}
