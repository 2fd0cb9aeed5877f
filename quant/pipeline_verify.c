/* Reading back what was written, before it gets its name. */
#include "quant/pipeline.h"
#include "libgguf/error.h"

#include <stdlib.h>
#include <xxhash.h>

/* Units in flight besides those that are being read. */
#define SPARE 4

struct verifier {
    const struct gguf *model;
    const struct gguf_writer *writer;
    const struct quant_item *items;
    size_t n;    /* items */
    size_t next; /* the item that comes next in the output */
    const struct quant_settings *settings;
    XXH3_state_t *state;
    uint64_t bytes_before; /* of the files before this one */

    struct gguf *output; /* one file at a time */
    struct quant_stages stages;
    unsigned char *buffers; /* one for each unit in flight */
    uint64_t window;
};

static bool is_same_tensor(const struct gguf_tensor *t, struct gguf_str name, uint32_t type)
{
    return t->type == type && gguf_str_compare(t->name, name) == 0;
}

static unsigned char *buffer_of(const struct verifier *v, uint64_t unit)
{
    return v->buffers + unit % v->window * v->stages.max_source;
}

static enum gguf_status read_unit(void *context, uint64_t unit, int thread,
                                  struct gguf_error *err)
{
    struct verifier *v = context;
    struct quant_unit u = quant_unit_at(&v->stages, unit);
    const struct quant_stage *s = u.stage;
    (void)thread;
    return gguf_tensor_read(v->output, s->tensor, u.first * s->source_bytes, buffer_of(v, unit),
                            (size_t)(u.count * s->source_bytes), err);
}

static enum gguf_status compare_unit(void *context, uint64_t unit, struct gguf_error *err)
{
    struct verifier *v = context;
    struct quant_unit u = quant_unit_at(&v->stages, unit);
    const struct gguf_tensor *t = u.stage->tensor;
    if (u.begins)
        XXH3_64bits_reset(v->state);
    XXH3_64bits_update(v->state, buffer_of(v, unit), (size_t)(u.count * u.stage->source_bytes));
    if (!u.ends || XXH3_64bits_digest(v->state) == v->items[u.stage->index].digest)
        return GGUF_OK;
    return gguf_fail(err, GGUF_ERR_DATA, t->offset,
                     "%s: tensor %s reads back different from what was written: the disk or "
                     "the memory is faulty",
                     quant_path_of(v->output, t), gguf_text(t->name).text);
}

static enum gguf_status report(void *context, uint64_t retired, struct gguf_error *err)
{
    const struct verifier *v = context;
    return quant_report_units(&v->stages, v->settings, retired, err);
}

/* The tensors of the file, each of which is to be the next item. */
static enum gguf_status plan_file(struct verifier *v, struct gguf_error *err)
{
    enum gguf_status status = GGUF_OK;
    size_t n = gguf_tensor_count(v->output);
    v->stages = (struct quant_stages){.stage = calloc(n ? n : 1, sizeof *v->stages.stage),
                                      .bytes = v->bytes_before};
    if (!v->stages.stage)
        return gguf_fail_memory(err);
    for (size_t i = 0; i < n && !status; i++) {
        const struct gguf_tensor *t = gguf_tensor_at(v->output, i);
        const struct quant_item *item = v->next < v->n ? &v->items[v->next] : NULL;
        if (!item || !is_same_tensor(t, gguf_tensor_at(v->model, item->choice.tensor)->name,
                                     item->choice.type))
            return gguf_fail(err, GGUF_ERR_DATA, t->offset,
                             "%s: tensor %s is not what was written",
                             quant_path_of(v->output, t), gguf_text(t->name).text);
        status = quant_stage_add(&v->stages, v->output, t, t->type, v->next++, err);
        v->bytes_before += t->bytes;
    }
    return status;
}

static enum gguf_status compare_file(struct verifier *v, struct gguf_error *err)
{
    struct ordered job = {.units = v->stages.units,
                          .threads = v->settings->threads,
                          .context = v,
                          .work = read_unit,
                          .retire = compare_unit,
                          .report = report};
    job.window = v->window = 2 * (uint64_t)quant_ordered_threads(&job) + SPARE;
    v->buffers = malloc((size_t)(v->window * v->stages.max_source) + 1);
    enum gguf_status status = v->buffers ? quant_ordered_run(&job, err) : gguf_fail_memory(err);
    free(v->buffers);
    return status;
}

static enum gguf_status verify_file(struct verifier *v, const char *path,
                                    struct gguf_error *err)
{
    enum gguf_status status = gguf_open(&v->output, path, GGUF_OPEN_SINGLE, err);
    if (status)
        return status;
    status = plan_file(v, err);
    if (!status)
        status = compare_file(v, err);
    free(v->stages.stage);
    gguf_close(v->output);
    return status;
}

static enum gguf_status verify_files(struct verifier *v, struct gguf_error *err)
{
    enum gguf_status status = GGUF_OK;
    for (size_t i = 0; i < gguf_writer_file_count(v->writer) && !status; i++)
        status = verify_file(v, gguf_writer_temp_path(v->writer, i), err);
    if (!status && v->next != v->n)
        status = gguf_fail(err, GGUF_ERR_DATA, GGUF_NO_OFFSET,
                           "the output has %zu tensors; %zu were written", v->next, v->n);
    return status;
}

enum gguf_status quant_verify(const struct gguf *model, const struct gguf_writer *writer,
                              const struct quant_item *items, size_t n,
                              const struct quant_settings *settings, struct gguf_error *err)
{
    struct verifier v = {
        .model = model, .writer = writer, .items = items, .n = n, .settings = settings};
    v.state = XXH3_createState();
    enum gguf_status status = v.state ? verify_files(&v, err) : gguf_fail_memory(err);
    XXH3_freeState(v.state);
    return status;
}
