/* Reads tensor data part by part, in parallel, in bounded memory. */
#include "tools/gguf-info/info.h"

#include "quant/quant.h"

#include <omp.h>
#include <stdlib.h>
#include <string.h>

/* Parts in flight between two merges, for each thread. */
#define PARTS_PER_THREAD 8
#define WIDEST_ELEMENT   8 /* bytes of F64 and I64 */

/* ---- Decoding ----------------------------------------------------------------------- */

bool scan_can_decode(const struct gguf_tensor *tensor)
{
    return tensor->readable && quant_format_find(tensor->type);
}

static void widen_i64(const void *raw, size_t n, double *values)
{
    for (size_t i = 0; i < n; i++) {
        int64_t v;
        memcpy(&v, (const char *)raw + i * sizeof v, sizeof v);
        values[i] = (double)v;
    }
}

static void widen_i32(const void *raw, size_t n, double *values)
{
    for (size_t i = 0; i < n; i++) {
        int32_t v;
        memcpy(&v, (const char *)raw + i * sizeof v, sizeof v);
        values[i] = v;
    }
}

/* The types that a float cannot hold are converted here; the rest is quant's work. */
void scan_decode(const struct quant_format *format, const void *raw, size_t n, float *floats,
                 double *values)
{
    switch (format->type) {
    case GGUF_F64:
        memcpy(values, raw, n * sizeof *values);
        return;
    case GGUF_I64:
        widen_i64(raw, n, values);
        return;
    case GGUF_I32:
        widen_i32(raw, n, values);
        return;
    default:
        format->decode(raw, floats, n);
        for (size_t i = 0; i < n; i++)
            values[i] = (double)floats[i];
    }
}

/* ---- Parts ------------------------------------------------------------------------------ */

/* Room for one thread's part. */
struct buffer {
    void *raw;
    float *floats;
    double *values;
};

struct batch {
    struct scan_part *parts;
    size_t count, capacity;
    unsigned char *results;
    struct buffer *buffers; /* one a thread */
    int threads;
    struct gguf_error error; /* of the first part that failed */
    size_t failed;           /* its position; `count` if none */
};

/* Where the walk over the tensors stands. */
struct cursor {
    size_t tensor;
    uint64_t element;
};

static void batch_start(struct batch *batch, const struct scan *scan)
{
    batch->threads = scan->threads > 0 ? scan->threads : omp_get_max_threads();
    batch->capacity = (size_t)batch->threads * PARTS_PER_THREAD;
    batch->parts = cli_alloc(batch->capacity, sizeof *batch->parts);
    batch->results = cli_alloc(batch->capacity, scan->result_size);
    batch->buffers = cli_alloc((size_t)batch->threads, sizeof *batch->buffers);
    for (int i = 0; i < batch->threads; i++) {
        struct buffer *b = &batch->buffers[i];
        b->raw = cli_alloc(SCAN_ELEMENTS, WIDEST_ELEMENT);
        if (scan->decode) {
            b->floats = cli_alloc(SCAN_ELEMENTS, sizeof *b->floats);
            b->values = cli_alloc(SCAN_ELEMENTS, sizeof *b->values);
        }
    }
}

static void batch_free(struct batch *batch)
{
    for (int i = 0; i < batch->threads; i++) {
        free(batch->buffers[i].raw);
        free(batch->buffers[i].floats);
        free(batch->buffers[i].values);
    }
    free(batch->buffers);
    free(batch->results);
    free(batch->parts);
}

/* Takes the next parts of the walk into the batch; false when there are none. */
static bool batch_fill(struct batch *batch, const struct scan *scan, struct cursor *at)
{
    batch->count = 0;
    while (batch->count < batch->capacity && at->tensor < scan->selection.count) {
        const struct gguf_tensor *t = scan->selection.tensors[at->tensor];
        uint64_t left = t->elements - at->element, bytes = 0;
        uint64_t n = left < SCAN_ELEMENTS ? left : SCAN_ELEMENTS;
        if (!scan_can_decode(t) || n == 0 || !gguf_type_bytes(t->type, n, &bytes)) {
            *at = (struct cursor){at->tensor + 1, 0};
            continue;
        }
        batch->parts[batch->count++] = (struct scan_part){.tensor = t,
                                                          .index = at->tensor,
                                                          .first = at->element,
                                                          .elements = (size_t)n,
                                                          .bytes = (size_t)bytes};
        at->element += n;
    }
    return batch->count > 0;
}

static void note_failure(struct batch *batch, size_t position, const struct gguf_error *err)
{
#pragma omp critical(scan_failure)
    if (position < batch->failed) {
        batch->failed = position;
        batch->error = *err;
    }
}

static void run_part(struct batch *batch, const struct scan *scan, size_t position)
{
    struct scan_part *part = &batch->parts[position];
    struct buffer *b = &batch->buffers[omp_get_thread_num()];
    struct gguf_error err;
    uint64_t offset = 0;
    gguf_type_bytes(part->tensor->type, part->first, &offset);
    if (gguf_tensor_read(scan->model, part->tensor, offset, b->raw, part->bytes, &err) !=
        GGUF_OK) {
        note_failure(batch, position, &err);
        return;
    }
    part->raw = b->raw;
    part->values = b->values;
    if (scan->decode)
        scan_decode(quant_format_at(part->tensor->type, scan->cpu), b->raw, part->elements,
                    b->floats, b->values);
    scan->work(part, batch->results + position * scan->result_size);
    part->raw = part->values = NULL;
}

static enum gguf_status run_batch(struct batch *batch, const struct scan *scan)
{
    memset(batch->results, 0, batch->count * scan->result_size);
    batch->failed = batch->count;
#pragma omp parallel for schedule(dynamic) num_threads(batch->threads)
    for (size_t i = 0; i < batch->count; i++)
        run_part(batch, scan, i);
    for (size_t i = 0; i < batch->failed; i++)
        scan->merge(&batch->parts[i], batch->results + i * scan->result_size, scan->user);
    return batch->failed < batch->count ? batch->error.status : GGUF_OK;
}

static uint64_t total_bytes(const struct scan *scan)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < scan->selection.count; i++) {
        if (scan_can_decode(scan->selection.tensors[i]))
            sum = add_saturated(sum, scan->selection.tensors[i]->bytes);
    }
    return sum;
}

enum gguf_status scan_run(const struct scan *scan, struct gguf_error *err)
{
    struct batch batch = {0};
    struct cursor at = {0, 0};
    struct progress progress;
    enum gguf_status status = GGUF_OK;
    uint64_t done = 0;
    batch_start(&batch, scan);
    progress_start(&progress, NULL, total_bytes(scan), scan->quiet);
    while (status == GGUF_OK && batch_fill(&batch, scan, &at)) {
        status = run_batch(&batch, scan);
        for (size_t i = 0; i < batch.count; i++)
            done += batch.parts[i].bytes;
        progress_update(&progress, done, batch.parts[batch.count - 1].tensor->name);
    }
    progress_end(&progress);
    if (status != GGUF_OK)
        *err = batch.error;
    batch_free(&batch);
    return status;
}
