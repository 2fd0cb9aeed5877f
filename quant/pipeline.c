/*
 * From one model file to another: rows are read in chunks, and the rows of a chunk are
 * decoded, checked, encoded and measured by all threads at once. What a thread needs is
 * two rows of floats; what all share is the chunk before and after.
 */
#include "quant/pipeline.h"
#include "libgguf/checked.h"
#include "libgguf/error.h"

#include <math.h>
#include <omp.h>
#include <stdlib.h>
#include <xxhash.h>

/* Elements of a chunk for each thread; a longer row is a chunk of its own. */
#define CHUNK_ELEMENTS (256 * 1024)

double quant_item_rmse(const struct quant_item *item)
{
    return item->energy > 0 ? sqrt(item->error / item->energy) : 0;
}

size_t quant_copy_step(const struct gguf_tensor *tensor)
{
    size_t block = gguf_type_find(tensor->type)->block_bytes;
    return COPY_BYTES / block * block;
}

const char *quant_path_of(const struct gguf *model, const struct gguf_tensor *tensor)
{
    return gguf_file_at(model, tensor->file)->path;
}

enum gguf_status quant_report(const struct quant_settings *settings, uint64_t done,
                              struct gguf_str tensor, struct gguf_error *err)
{
    if (!settings->progress || settings->progress(settings->context, done, tensor))
        return GGUF_OK;
    return gguf_fail(err, GGUF_ERR_CANCELLED, GGUF_NO_OFFSET, "stopped at tensor %s",
                     gguf_text(tensor).text);
}

/* ---- Tasks ------------------------------------------------------------------------------ */

/* What came of one row. */
struct row_result {
    double error, energy;
    uint64_t invalid; /* index of an element that is not finite, or UINT64_MAX */
};

/* One piece of memory for the whole run, grown to the largest tensor's need, and what lies
 * in it. */
struct workspace {
    unsigned char *memory;
    uint64_t size;
    unsigned char *source, *target; /* the chunk before and after */
    float *floats;                  /* two rows for each thread */
    struct row_result *results;     /* of each row of the chunk */
};

/* One tensor on its way. */
struct task {
    const struct gguf *model;
    const struct gguf_tensor *tensor;
    struct gguf_writer *writer;
    size_t index; /* in the output */
    struct quant_item *item;
    const struct quant_settings *settings;
    const struct quant_format *from, *to;
    uint64_t done; /* bytes of the source before this tensor */
    int max_threads, threads;
    uint64_t row_bytes, target_row_bytes; /* of a row before and after */
    XXH3_state_t *digest;
};

/* Makes room for `size` bytes; what was there is lost. */
static bool reserve(struct workspace *w, uint64_t size)
{
    if (size <= w->size)
        return true;
    free(w->memory);
    w->memory = size <= SIZE_MAX ? malloc((size_t)size) : NULL;
    w->size = w->memory ? size : 0;
    return w->memory != NULL;
}

/* Sets aside `count` records of `size` bytes from a cache line on, at *offset. */
static bool take(uint64_t *used, uint64_t count, uint64_t size, uint64_t *offset)
{
    uint64_t bytes;
    *offset = *used;
    return checked_mul(count, size, &bytes) && checked_add(*used, bytes, used) &&
           checked_align(*used, 64, used);
}

/* Room for a chunk of `rows` rows. */
static bool reserve_chunk(struct workspace *w, const struct task *t, uint64_t rows)
{
    uint64_t size = 0, floats, results, source, target;
    if (!take(&size, t->tensor->ne[0], 2 * sizeof(float) * (unsigned)t->threads, &floats) ||
        !take(&size, rows, sizeof(struct row_result), &results) ||
        !take(&size, rows, t->row_bytes, &source) ||
        !take(&size, rows, t->target_row_bytes, &target) || !reserve(w, size))
        return false;
    w->floats = (float *)(void *)(w->memory + floats);
    w->results = (struct row_result *)(void *)(w->memory + results);
    w->source = w->memory + source;
    w->target = w->memory + target;
    return true;
}

/* Takes the bytes into the digest and the output. */
static enum gguf_status store(const struct task *t, uint64_t offset, const void *data,
                              size_t size, struct gguf_error *err)
{
    XXH3_64bits_update(t->digest, data, size);
    return gguf_writer_write(t->writer, t->index, offset, data, size, err);
}

/* Place of an element's block in its file. */
static uint64_t offset_of(const struct gguf_tensor *t, uint64_t element)
{
    const struct gguf_type_info *info = gguf_type_find(t->type);
    return t->offset + element / info->block_elements * info->block_bytes;
}

static enum gguf_status fail_invalid(const struct task *t, uint64_t element,
                                     struct gguf_error *err)
{
    return gguf_fail(err, GGUF_ERR_DATA, offset_of(t->tensor, element),
                     "%s: tensor %s: element %llu is NaN or infinite: the model is damaged, or "
                     "overflowed when it was converted",
                     quant_path_of(t->model, t->tensor), gguf_text(t->tensor->name).text,
                     (unsigned long long)element);
}

/* ---- Conversion ------------------------------------------------------------------------- */

/* The first element that is not finite, or UINT64_MAX. */
static uint64_t find_invalid(const float *x, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (!isfinite(x[i]))
            return i;
    }
    return UINT64_MAX;
}

/* Sum of squared errors, and of squares. */
static void measure_row(const float *x, const float *y, size_t n, struct row_result *result)
{
    double error = 0, energy = 0;
    for (size_t i = 0; i < n; i++) {
        double v = (double)x[i], r = v - (double)y[i];
        error += r * r;
        energy += v * v;
    }
    result->error = error;
    result->energy = energy;
}

/* The weights of the matrix that a row belongs to: one for each expert. */
static const float *importance_of(const struct task *t, uint64_t row)
{
    const uint64_t *ne = t->tensor->ne;
    return quant_importance_row(t->item->importance, ne[0], row / ne[1] % ne[2]);
}

/* Row `r` of the chunk, which is row `first + r` of the tensor; `x` is room for two rows.
 * The encoded row is measured while it is in the cache. */
static void convert_row(const struct task *t, struct workspace *w, uint64_t first, size_t r,
                        float *x)
{
    size_t n = (size_t)t->tensor->ne[0];
    float *y = x + n;
    unsigned char *target = w->target + r * t->target_row_bytes;
    struct row_result *result = &w->results[r];
    t->from->decode(w->source + r * t->row_bytes, x, n);
    *result = (struct row_result){.invalid = find_invalid(x, n)};
    if (result->invalid != UINT64_MAX)
        return;
    t->to->encode(x, target, n, importance_of(t, first + r));
    t->to->decode(target, y, n);
    measure_row(x, y, n, result);
}

/* Sums are taken in the order of the rows: they do not depend on the threads. */
static enum gguf_status convert_chunk(const struct task *t, struct workspace *w, uint64_t first,
                                      size_t rows, struct gguf_error *err)
{
    size_t n = (size_t)t->tensor->ne[0];
#pragma omp parallel for schedule(static) num_threads(t->threads)
    for (size_t r = 0; r < rows; r++)
        convert_row(t, w, first, r, w->floats + (size_t)omp_get_thread_num() * 2 * n);
    for (size_t r = 0; r < rows; r++) {
        const struct row_result *result = &w->results[r];
        if (result->invalid != UINT64_MAX)
            return fail_invalid(t, (first + r) * n + result->invalid, err);
        t->item->error += result->error;
        t->item->energy += result->energy;
    }
    return GGUF_OK;
}

/* One chunk from reading to writing. */
static enum gguf_status pass_chunk(const struct task *t, struct workspace *w, uint64_t first,
                                   size_t rows, struct gguf_error *err)
{
    size_t bytes = rows * (size_t)t->row_bytes;
    uint64_t at = first * t->row_bytes;
    enum gguf_status status = gguf_tensor_read(t->model, t->tensor, at, w->source, bytes, err);
    if (!status)
        status = convert_chunk(t, w, first, rows, err);
    if (!status)
        status = store(t, first * t->target_row_bytes, w->target,
                       rows * (size_t)t->target_row_bytes, err);
    gguf_tensor_advise(t->model, t->tensor, at, bytes, GGUF_ADVISE_DONE);
    if (!status)
        status = quant_report(t->settings, t->done + at + bytes, t->tensor->name, err);
    return status;
}

static enum gguf_status convert_tensor(struct task *t, struct workspace *w,
                                       struct gguf_error *err)
{
    const struct gguf_tensor *tensor = t->tensor;
    if (tensor->elements == 0)
        return GGUF_OK;
    uint64_t n_rows = tensor->elements / tensor->ne[0];
    uint64_t step = (uint64_t)CHUNK_ELEMENTS * (unsigned)t->max_threads / tensor->ne[0];
    step = step < 1 ? 1 : step > n_rows ? n_rows : step;
    t->threads = step < (unsigned)t->max_threads ? (int)step : t->max_threads;
    if (!reserve_chunk(w, t, step))
        return gguf_fail_memory(err);
    enum gguf_status status = GGUF_OK;
    for (uint64_t row = 0; row < n_rows && !status; row += step) {
        size_t rows = (size_t)(n_rows - row < step ? n_rows - row : step);
        status = pass_chunk(t, w, row, rows, err);
    }
    return status;
}

/* ---- Copies ----------------------------------------------------------------------------- */

static enum gguf_status copy_piece(const struct task *t, unsigned char *buffer, uint64_t at,
                                   size_t size, struct gguf_error *err)
{
    const struct gguf_type_info *info = gguf_type_find(t->tensor->type);
    enum gguf_status status = gguf_tensor_read(t->model, t->tensor, at, buffer, size, err);
    if (status)
        return status;
    size_t bad = quant_find_invalid(info->id, buffer, size / info->block_bytes);
    if (bad != SIZE_MAX)
        return fail_invalid(t, (at / info->block_bytes + bad) * info->block_elements, err);
    status = store(t, at, buffer, size, err);
    if (!status)
        status = quant_report(t->settings, t->done + at + size, t->tensor->name, err);
    return status;
}

static enum gguf_status copy_tensor(const struct task *t, struct workspace *w,
                                    struct gguf_error *err)
{
    uint64_t bytes = t->tensor->bytes;
    size_t step = quant_copy_step(t->tensor);
    if (!reserve(w, step))
        return gguf_fail_memory(err);
    enum gguf_status status = GGUF_OK;
    for (uint64_t at = 0; at < bytes && !status; at += step)
        status =
            copy_piece(t, w->memory, at, bytes - at < step ? (size_t)(bytes - at) : step, err);
    return status;
}

/* ---- The whole model -------------------------------------------------------------------- */

static enum gguf_status run_item(struct task *t, struct workspace *w, struct gguf_error *err)
{
    uint32_t from = t->tensor->type, to = t->item->choice.type;
    t->from = quant_format_find(from);
    t->to = quant_format_find(to);
    t->item->error = t->item->energy = 0;
    XXH3_64bits_reset(t->digest);
    enum gguf_status status;
    if (from == to)
        status = copy_tensor(t, w, err);
    else if (!gguf_type_bytes(from, t->tensor->ne[0], &t->row_bytes) ||
             !gguf_type_bytes(to, t->tensor->ne[0], &t->target_row_bytes))
        status = gguf_fail(err, GGUF_ERR_ARGUMENT, GGUF_NO_OFFSET,
                           "tensor %s: rows do not divide into blocks",
                           gguf_text(t->tensor->name).text);
    else
        status = convert_tensor(t, w, err);
    t->item->digest = XXH3_64bits_digest(t->digest);
    t->done += t->tensor->bytes;
    return status;
}

enum gguf_status quant_run(const struct gguf *model, struct gguf_writer *writer,
                           struct quant_item *items, size_t n,
                           const struct quant_settings *settings, struct gguf_error *err)
{
    enum gguf_status status = quant_check(model, items, n, settings, err);
    if (status)
        return status;
    int threads = settings->threads > 0 ? settings->threads : omp_get_max_threads();
    struct workspace w = {0};
    struct task t = {.model = model,
                     .writer = writer,
                     .settings = settings,
                     .max_threads = threads,
                     .digest = XXH3_createState()};
    if (!t.digest)
        return gguf_fail_memory(err);
    for (size_t i = 0; i < n && !status; i++) {
        t.index = i;
        t.item = &items[i];
        t.tensor = gguf_tensor_at(model, items[i].choice.tensor);
        status = run_item(&t, &w, err);
    }
    XXH3_freeState(t.digest);
    free(w.memory);
    return status;
}
