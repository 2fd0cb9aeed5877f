/*
 * From one model file to another. Every unit of work is read, decoded, checked, encoded and
 * measured by one thread while it is in that thread's cache. Its bytes go into a ring, in the
 * order of the output, from which they are digested and written:
 *
 *   input ---> source of a thread ---> row of floats ---> ring of targets ---> digest, output
 *              claim and work, any thread                 retire, in order
 */
#include "quant/pipeline.h"
#include "libgguf/checked.h"
#include "libgguf/error.h"
#include "quant/measure.h"

#include <math.h>
#include <stdlib.h>
#include <xxhash.h>

/* Units that are written at once: few large writes cost less than many small ones. */
#define BATCH 8

/* Units in flight besides those that threads work on, so that nobody waits for a write. */
#define SPARE BATCH

/* How many units ahead the system is told what will be read, to fetch it from the disk. */
#define PREFETCH 64

double quant_item_rmse(const struct quant_item *item)
{
    return item->energy > 0 ? sqrt(item->error / item->energy) : 0;
}

/* ---- A run ------------------------------------------------------------------------------ */

/* What came of a unit that is not written yet. */
struct flight {
    unsigned char *target; /* in the ring */
    struct quant_sums sums;
};

/* Units of one tensor that are retired, side by side in the ring, and to be written. */
struct batch {
    unsigned char *data;
    uint64_t offset; /* in the tensor */
    size_t size, units;
};

/* How a tensor is converted. */
struct codec {
    const struct quant_format *from, *to;
    quant_encode_fn encode;
};

struct run {
    const struct gguf *model;
    struct gguf_writer *writer;
    struct quant_item *items;
    const struct quant_settings *settings;
    const struct quant_measure *measure;
    struct codec *codecs; /* of each item */
    struct quant_stages stages;
    struct ordered job;
    struct flight *flights; /* by unit % n_flights */
    uint64_t n_flights;
    struct batch batch;
    XXH3_state_t *digest;

    unsigned char *memory; /* all of what follows */
    unsigned char *ring;
    uint64_t ring_bytes, ring_head;
    unsigned char *desks;                /* one for each thread: */
    uint64_t desk_bytes, desk_x, desk_y; /* a unit's source, then two rows at these offsets */
};

static struct flight *flight_of(const struct run *run, uint64_t unit)
{
    return &run->flights[unit % run->n_flights];
}

/* Place of an element's block in its file. */
static uint64_t offset_of(const struct gguf_tensor *t, uint64_t element)
{
    const struct gguf_type_info *info = gguf_type_find(t->type);
    return t->offset + element / info->block_elements * info->block_bytes;
}

static enum gguf_status fail_invalid(const struct run *run, const struct gguf_tensor *t,
                                     uint64_t element, struct gguf_error *err)
{
    return gguf_fail(err, GGUF_ERR_DATA, offset_of(t, element),
                     "%s: tensor %s: element %llu is NaN or infinite: the model is damaged, or "
                     "overflowed when it was converted",
                     quant_path_of(run->model, t), gguf_text(t->name).text,
                     (unsigned long long)element);
}

/* ---- Claim ------------------------------------------------------------------------------ */

/*
 * Sets a place in the ring aside. Units of a tensor lie side by side as they do in the output,
 * so that several can be written at once; at the end of the ring they begin anew. The ring has
 * room for one unit more than are in flight, each of the largest size: what lies at the new
 * place has been written.
 */
static void claim(void *context, uint64_t unit)
{
    struct run *run = context;
    struct quant_unit u = quant_unit_at(&run->stages, unit);
    uint64_t size = u.count * u.stage->target_bytes;
    if (u.begins) /* floats and doubles are aligned */
        run->ring_head = (run->ring_head + 63) & ~(uint64_t)63;
    if (run->ring_head + size > run->ring_bytes)
        run->ring_head = 0;
    *flight_of(run, unit) = (struct flight){.target = run->ring + run->ring_head};
    run->ring_head += size;
}

/* ---- Work ------------------------------------------------------------------------------- */

static enum gguf_status copy(const struct run *run, const struct quant_unit *u,
                             struct flight *f, struct gguf_error *err)
{
    const struct gguf_tensor *t = u->stage->tensor;
    const struct gguf_type_info *info = gguf_type_find(t->type);
    enum gguf_status status =
        gguf_tensor_read(run->model, t, u->first * u->stage->source_bytes, f->target,
                         (size_t)(u->count * u->stage->source_bytes), err);
    if (status)
        return status;
    size_t bad = quant_find_invalid(t->type, f->target, (size_t)u->count);
    if (bad == SIZE_MAX)
        return GGUF_OK;
    return fail_invalid(run, t, (u->first + bad) * info->block_elements, err);
}

/* Row by row; answers the first element of the unit that is not finite, or UINT64_MAX. Each
 * matrix of the tensor has its own importance: one for each expert. */
static uint64_t convert_rows(const struct run *run, const struct quant_unit *u,
                             unsigned char *desk, struct flight *f)
{
    const struct quant_stage *s = u->stage;
    const struct codec *c = &run->codecs[s->index];
    const struct quant_importance *importance = run->items[s->index].importance;
    const uint64_t *ne = s->tensor->ne;
    size_t n = (size_t)ne[0];
    float *x = (float *)(void *)(desk + run->desk_x),
          *y = (float *)(void *)(desk + run->desk_y);
    for (uint64_t r = 0; r < u->count; r++) {
        unsigned char *target = f->target + r * s->target_bytes;
        uint64_t matrix = (u->first + r) / ne[1];
        c->from->decode(desk + r * s->source_bytes, x, n);
        size_t bad = run->measure->find_not_finite(x, n);
        if (bad != SIZE_MAX)
            return r * n + bad;
        c->encode(x, target, n, quant_importance_row(importance, n, matrix));
        c->to->decode(target, y, n);
        run->measure->add(&f->sums, x, y, n);
    }
    return UINT64_MAX;
}

static enum gguf_status convert(const struct run *run, const struct quant_unit *u,
                                unsigned char *desk, struct flight *f, struct gguf_error *err)
{
    const struct gguf_tensor *t = u->stage->tensor;
    enum gguf_status status =
        gguf_tensor_read(run->model, t, u->first * u->stage->source_bytes, desk,
                         (size_t)(u->count * u->stage->source_bytes), err);
    if (status)
        return status;
    uint64_t bad = convert_rows(run, u, desk, f);
    return bad == UINT64_MAX ? GGUF_OK : fail_invalid(run, t, u->first * t->ne[0] + bad, err);
}

static enum gguf_status work(void *context, uint64_t unit, int thread, struct gguf_error *err)
{
    struct run *run = context;
    struct quant_unit u = quant_unit_at(&run->stages, unit);
    struct flight *f = flight_of(run, unit);
    quant_unit_prefetch(&run->stages, run->model, unit + PREFETCH);
    if (u.stage->copies)
        return copy(run, &u, f, err);
    return convert(run, &u, run->desks + (uint64_t)thread * run->desk_bytes, f, err);
}

/* ---- Retire ----------------------------------------------------------------------------- */

static enum gguf_status write_batch(struct run *run, size_t tensor, struct gguf_error *err)
{
    struct batch b = run->batch;
    run->batch = (struct batch){0};
    return b.size ? gguf_writer_write(run->writer, tensor, b.offset, b.data, b.size, err)
                  : GGUF_OK;
}

/* Sums are taken in the order of the units: they do not depend on the threads. */
static void account(struct run *run, const struct quant_unit *u, const struct flight *f)
{
    struct quant_item *item = &run->items[u->stage->index];
    if (u->begins)
        XXH3_64bits_reset(run->digest);
    XXH3_64bits_update(run->digest, f->target, (size_t)(u->count * u->stage->target_bytes));
    item->error += f->sums.error;
    item->energy += f->sums.energy;
    if (u->ends)
        item->digest = XXH3_64bits_digest(run->digest);
}

static enum gguf_status retire(void *context, uint64_t unit, struct gguf_error *err)
{
    struct run *run = context;
    struct quant_unit u = quant_unit_at(&run->stages, unit);
    struct flight *f = flight_of(run, unit);
    enum gguf_status status = GGUF_OK;
    account(run, &u, f);
    if (f->target != run->batch.data + run->batch.size) /* the ring began anew */
        status = write_batch(run, u.stage->index, err);
    if (run->batch.units++ == 0) {
        run->batch.data = f->target;
        run->batch.offset = u.first * u.stage->target_bytes;
    }
    run->batch.size += (size_t)(u.count * u.stage->target_bytes);
    if (!status && (u.ends || run->batch.units == BATCH))
        status = write_batch(run, u.stage->index, err);
    return status;
}

static enum gguf_status report(void *context, uint64_t retired, struct gguf_error *err)
{
    const struct run *run = context;
    return quant_report_units(&run->stages, run->settings, retired, err);
}

/* ---- The whole model -------------------------------------------------------------------- */

static void choose_codec(struct run *run, size_t item, const struct gguf_tensor *tensor)
{
    struct codec *c = &run->codecs[item];
    c->from = quant_format_at(tensor->type, run->settings->cpu);
    c->to = quant_format_at(run->items[item].choice.type, run->settings->cpu);
    c->encode = c->to ? quant_encoder(c->to, run->settings->preset) : NULL;
}

static enum gguf_status plan(struct run *run, size_t n, struct gguf_error *err)
{
    enum gguf_status status = GGUF_OK;
    run->measure = quant_measure_at(run->settings->cpu);
    run->stages.stage = calloc(n ? n : 1, sizeof *run->stages.stage);
    run->codecs = calloc(n ? n : 1, sizeof *run->codecs);
    if (!run->stages.stage || !run->codecs)
        return gguf_fail_memory(err);
    for (size_t i = 0; i < n && !status; i++) {
        struct quant_item *item = &run->items[i];
        const struct gguf_tensor *tensor = gguf_tensor_at(run->model, item->choice.tensor);
        item->error = item->energy = 0;
        item->digest = XXH3_64bits(NULL, 0);
        choose_codec(run, i, tensor);
        status = quant_stage_add(&run->stages, run->model, tensor, item->choice.type, i, err);
    }
    return status;
}

/* Sets `count` pieces of `size` bytes aside, each of them aligned, at *offset. */
static bool take(uint64_t *used, uint64_t count, uint64_t size, uint64_t *offset)
{
    *offset = *used;
    return checked_align(size, 64, &size) && checked_mul(count, size, &size) &&
           checked_add(*used, size, used);
}

/* One piece of memory for the whole run: a desk for each thread, then the ring. */
static bool reserve(struct run *run)
{
    const struct quant_stages *s = &run->stages;
    uint64_t threads = (uint64_t)quant_ordered_threads(&run->job), desks, ring, size = 0;
    run->job.window = 2 * threads + SPARE;
    run->n_flights = run->job.window + BATCH;
    if (!take(&size, 1, s->max_source, &desks) ||
        !take(&size, 1, s->max_row * sizeof(float), &run->desk_x) ||
        !take(&size, 1, s->max_row * sizeof(float), &run->desk_y))
        return false;
    run->desk_bytes = size;
    size = 0;
    if (!take(&size, threads, run->desk_bytes, &desks) ||
        !take(&size, run->n_flights + 1, s->max_target, &ring) || size > SIZE_MAX - 64)
        return false;
    run->flights = calloc((size_t)run->n_flights, sizeof *run->flights);
    run->memory = malloc((size_t)size + 64);
    if (!run->flights || !run->memory)
        return false;
    run->desks = run->memory + (64 - (uintptr_t)run->memory % 64) % 64;
    run->ring = run->desks + ring;
    run->ring_bytes = size - ring;
    return true;
}

static enum gguf_status run_units(struct run *run, struct gguf_error *err)
{
    run->job = (struct ordered){.units = run->stages.units,
                                .threads = run->settings->threads,
                                .context = run,
                                .claim = claim,
                                .work = work,
                                .retire = retire,
                                .report = report};
    run->digest = XXH3_createState();
    enum gguf_status status = GGUF_OK;
    if (!run->digest || !reserve(run))
        status = gguf_fail_memory(err);
    else
        status = quant_ordered_run(&run->job, err);
    XXH3_freeState(run->digest);
    free(run->flights);
    free(run->memory);
    return status;
}

enum gguf_status quant_run(const struct gguf *model, struct gguf_writer *writer,
                           struct quant_item *items, size_t n,
                           const struct quant_settings *settings, struct gguf_error *err)
{
    enum gguf_status status = quant_check(model, items, n, settings, err);
    if (status)
        return status;
    struct run run = {.model = model, .writer = writer, .items = items, .settings = settings};
    status = plan(&run, n, err);
    if (!status)
        status = run_units(&run, err);
    free(run.stages.stage);
    free(run.codecs);
    return status;
}
