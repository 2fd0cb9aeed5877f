/*
 * From one model file to another: rows are read in chunks, and the rows of a chunk are
 * decoded, checked, encoded and measured by all threads at once. What a thread needs is
 * two rows of floats; what all share is the chunk before and after.
 */
#include "libgguf/checked.h"
#include "libgguf/error.h"
#include "quant/quant.h"

#include <math.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

/* Elements of a chunk for each thread; a longer row is a chunk of its own. */
#define CHUNK_ELEMENTS (256 * 1024)
/* Bytes that are copied or read back at once. */
#define COPY_BYTES (4u << 20)

double quant_item_rmse(const struct quant_item *item)
{
    return item->energy > 0 ? sqrt(item->error / item->energy) : 0;
}

/* ---- Before the work ------------------------------------------------------------------ */

static bool is_float(uint32_t type)
{
    return type == GGUF_F32 || type == GGUF_F16 || type == GGUF_BF16;
}

static const char *type_name(uint32_t type)
{
    const struct gguf_type_info *info = gguf_type_find(type);
    return info ? info->name : "unknown";
}

static enum gguf_status check_source(const struct gguf_tensor *t, uint32_t target,
                                     bool requantize, struct gguf_error *err)
{
    const struct quant_format *to = quant_format_find(target);
    if (!t->readable || !quant_format_find(t->type))
        return gguf_fail(err, GGUF_ERR_UNSUPPORTED, GGUF_NO_OFFSET,
                         "tensor %s: type %s cannot be read", gguf_text(t->name).text,
                         type_name(t->type));
    if (t->type == target)
        return GGUF_OK;
    if (!to || !to->encode)
        return gguf_fail(err, GGUF_ERR_UNSUPPORTED, GGUF_NO_OFFSET,
                         "tensor %s: type %s can be read but not made here",
                         gguf_text(t->name).text, type_name(target));
    if (!is_float(t->type) && !requantize)
        return gguf_fail(err, GGUF_ERR_ARGUMENT, GGUF_NO_OFFSET,
                         "tensor %s is quantized already (%s): making %s of it loses more than "
                         "making it of the original; --allow-requantize does it all the same",
                         gguf_text(t->name).text, type_name(t->type), type_name(target));
    return GGUF_OK;
}

enum gguf_status quant_check(const struct gguf *model, const struct quant_item *items, size_t n,
                             const struct quant_settings *settings, struct gguf_error *err)
{
    enum gguf_status status = GGUF_OK;
    for (size_t i = 0; i < n && !status; i++) {
        const struct gguf_tensor *t = gguf_tensor_at(model, items[i].choice.tensor);
        const struct quant_importance *importance = items[i].importance;
        status = check_source(t, items[i].choice.type, settings->requantize, err);
        if (!status && importance && !quant_importance_fits(importance, t))
            status =
                gguf_fail(err, GGUF_ERR_DATA, GGUF_NO_OFFSET,
                          "tensor %s has %llu columns in %llu matrices, its importance "
                          "%llu in %llu: the importance matrix is for another model",
                          gguf_text(t->name).text, (unsigned long long)t->ne[0],
                          (unsigned long long)t->ne[2], (unsigned long long)importance->columns,
                          (unsigned long long)importance->experts);
    }
    return status;
}

/* ---- Chunks ----------------------------------------------------------------------------- */

/* One piece of memory for the whole run, grown to the largest tensor's need, and what lies
 * in it. */
struct workspace {
    unsigned char *memory;
    size_t size;
    unsigned char *source, *target; /* the chunk before and after */
    float *rows;                    /* two for each thread */
    double *errors, *energies;      /* of each row */
    uint64_t *invalid; /* of each row: index of an element that is no number, or UINT64_MAX */
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
    int threads;
    uint64_t row_bytes, target_row_bytes; /* of a row before and after */
    XXH3_state_t *digest;
};

/* Makes room for `size` bytes; what was there is lost. */
static bool reserve(struct workspace *w, size_t size)
{
    if (size <= w->size)
        return true;
    free(w->memory);
    w->memory = malloc(size);
    w->size = w->memory ? size : 0;
    return w->memory != NULL;
}

/* The next `bytes` of the memory, on a cache line. */
static void *carve(struct workspace *w, size_t *used, uint64_t bytes)
{
    void *p = w->memory ? w->memory + *used : NULL;
    *used += (size_t)((bytes + 63) / 64 * 64);
    return p;
}

static size_t lay_out(struct workspace *w, const struct task *t, size_t rows)
{
    size_t used = 0;
    w->rows = carve(w, &used, t->tensor->ne[0] * 2 * sizeof(float) * (size_t)t->threads);
    w->errors = carve(w, &used, rows * sizeof *w->errors);
    w->energies = carve(w, &used, rows * sizeof *w->energies);
    w->invalid = carve(w, &used, rows * sizeof *w->invalid);
    w->source = carve(w, &used, rows * t->row_bytes);
    w->target = carve(w, &used, rows * t->target_row_bytes);
    return used;
}

/* Room for a chunk of `rows` rows: measured first, then laid out. */
static bool reserve_chunk(struct workspace *w, const struct task *t, size_t rows)
{
    struct workspace unplaced = {0};
    if (!reserve(w, lay_out(&unplaced, t, rows)))
        return false;
    lay_out(w, t, rows);
    return true;
}

/* The first element that is not finite, or UINT64_MAX. */
static uint64_t find_not_finite(const float *x, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (!isfinite(x[i]))
            return i;
    }
    return UINT64_MAX;
}

static void measure_row(const float *x, const float *y, size_t n, double *error, double *energy)
{
    double e = 0, s = 0;
    for (size_t i = 0; i < n; i++) {
        double v = (double)x[i], r = v - (double)y[i];
        e += r * r;
        s += v * v;
    }
    *error = e;
    *energy = s;
}

/* The weights of the matrix that a row belongs to. */
static const float *importance_of(const struct task *t, uint64_t row)
{
    const struct gguf_tensor *tensor = t->tensor;
    uint64_t matrix = tensor->ne[1] ? row / tensor->ne[1] : 0;
    return quant_importance_row(t->item->importance, tensor->ne[0],
                                tensor->ne[2] ? matrix % tensor->ne[2] : 0);
}

/* Row `r` of the chunk, which is row `first + r` of the tensor. */
static void convert_row(const struct task *t, struct workspace *w, uint64_t first, size_t r,
                        float *x)
{
    size_t n = t->tensor->ne[0];
    float *y = x + n;
    unsigned char *target = w->target + r * t->target_row_bytes;
    t->from->decode(w->source + r * t->row_bytes, x, n);
    w->invalid[r] = find_not_finite(x, n);
    w->errors[r] = w->energies[r] = 0;
    if (w->invalid[r] != UINT64_MAX)
        return;
    t->to->encode(x, target, n, importance_of(t, first + r));
    t->to->decode(target, y, n);
    measure_row(x, y, n, &w->errors[r], &w->energies[r]);
}

static enum gguf_status fail_not_finite(const struct task *t, uint64_t element,
                                        struct gguf_error *err)
{
    return gguf_fail(err, GGUF_ERR_DATA, GGUF_NO_OFFSET,
                     "tensor %s: element %llu is NaN or infinite; the model is damaged, or "
                     "overflowed when it was converted",
                     gguf_text(t->tensor->name).text, (unsigned long long)element);
}

static enum gguf_status convert_chunk(const struct task *t, struct workspace *w, uint64_t first,
                                      size_t rows, struct gguf_error *err)
{
    size_t n = t->tensor->ne[0];
#pragma omp parallel for schedule(static) num_threads(t->threads)
    for (size_t r = 0; r < rows; r++)
        convert_row(t, w, first, r, w->rows + (size_t)omp_get_thread_num() * 2 * n);
    for (size_t r = 0; r < rows; r++) {
        if (w->invalid[r] != UINT64_MAX)
            return fail_not_finite(t, (first + r) * n + w->invalid[r], err);
        t->item->error += w->errors[r];
        t->item->energy += w->energies[r];
    }
    return GGUF_OK;
}

/* Tells how far it is; GGUF_ERR_CANCELLED if it is to stop. */
static enum gguf_status report(const struct task *t, uint64_t bytes, struct gguf_error *err)
{
    const struct quant_settings *s = t->settings;
    if (!s->progress || s->progress(s->context, t->done + bytes, t->tensor->name))
        return GGUF_OK;
    return gguf_fail(err, GGUF_ERR_CANCELLED, GGUF_NO_OFFSET, "stopped");
}

static enum gguf_status store(const struct task *t, uint64_t offset, const void *data,
                              size_t size, struct gguf_error *err)
{
    XXH3_64bits_update(t->digest, data, size);
    return gguf_writer_write(t->writer, t->index, offset, data, size, err);
}

static enum gguf_status convert_tensor(const struct task *t, struct workspace *w,
                                       struct gguf_error *err)
{
    const struct gguf_tensor *tensor = t->tensor;
    if (tensor->elements == 0)
        return GGUF_OK;
    uint64_t n_rows = tensor->elements / tensor->ne[0];
    uint64_t step = (uint64_t)CHUNK_ELEMENTS * (uint64_t)t->threads / tensor->ne[0];
    step = step < 1 ? 1 : step > n_rows ? n_rows : step;
    if (!reserve_chunk(w, t, (size_t)step))
        return gguf_fail_memory(err);
    enum gguf_status status = GGUF_OK;
    for (uint64_t row = 0; row < n_rows && !status; row += step) {
        size_t rows = (size_t)(n_rows - row < step ? n_rows - row : step);
        size_t bytes = rows * t->row_bytes;
        status = gguf_tensor_read(t->model, tensor, row * t->row_bytes, w->source, bytes, err);
        if (!status)
            status = convert_chunk(t, w, row, rows, err);
        if (!status)
            status =
                store(t, row * t->target_row_bytes, w->target, rows * t->target_row_bytes, err);
        if (!status)
            status = report(t, row * t->row_bytes + bytes, err);
    }
    return status;
}

/* ---- Copies -------------------------------------------------------------------------------
 */

/* Whole blocks of at most COPY_BYTES. */
static size_t copy_step(const struct gguf_tensor *t)
{
    size_t block = gguf_type_find(t->type)->block_bytes;
    return COPY_BYTES / block * block;
}

static enum gguf_status copy_tensor(const struct task *t, struct workspace *w,
                                    struct gguf_error *err)
{
    const struct gguf_tensor *tensor = t->tensor;
    const struct gguf_type_info *info = gguf_type_find(tensor->type);
    size_t step = copy_step(tensor);
    if (!reserve(w, step))
        return gguf_fail_memory(err);
    w->source = w->memory;
    enum gguf_status status = GGUF_OK;
    for (uint64_t at = 0; at < tensor->bytes && !status; at += step) {
        size_t size = (size_t)(tensor->bytes - at < step ? tensor->bytes - at : step);
        status = gguf_tensor_read(t->model, tensor, at, w->source, size, err);
        if (status)
            break;
        size_t bad = quant_find_invalid(tensor->type, w->source, size / info->block_bytes);
        if (bad != SIZE_MAX)
            return fail_not_finite(t, (at / info->block_bytes + bad) * info->block_elements,
                                   err);
        status = store(t, at, w->source, size, err);
        if (!status)
            status = report(t, at + size, err);
    }
    return status;
}

/* ---- The whole model ------------------------------------------------------------------------
 */

static enum gguf_status run_item(struct task *t, struct workspace *w, struct gguf_error *err)
{
    uint32_t type = t->item->choice.type;
    t->from = quant_format_find(t->tensor->type);
    t->to = quant_format_find(type);
    t->item->error = t->item->energy = 0;
    gguf_type_bytes(t->tensor->type, t->tensor->ne[0], &t->row_bytes);
    gguf_type_bytes(type, t->tensor->ne[0], &t->target_row_bytes);
    XXH3_64bits_reset(t->digest);
    enum gguf_status status =
        type == t->tensor->type ? copy_tensor(t, w, err) : convert_tensor(t, w, err);
    t->item->digest = XXH3_64bits_digest(t->digest);
    gguf_tensor_advise(t->model, t->tensor, 0, t->tensor->bytes, GGUF_ADVISE_DONE);
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
    struct workspace w = {0};
    struct task t = {.model = model,
                     .writer = writer,
                     .settings = settings,
                     .threads = settings->threads ? settings->threads : omp_get_max_threads(),
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

/* ---- Reading back
 * ------------------------------------------------------------------------------- */

static enum gguf_status digest_tensor(const struct gguf *model, const struct gguf_tensor *t,
                                      unsigned char *buffer, XXH3_state_t *state,
                                      struct gguf_error *err)
{
    size_t step = copy_step(t);
    enum gguf_status status = GGUF_OK;
    XXH3_64bits_reset(state);
    for (uint64_t at = 0; at < t->bytes && !status; at += step) {
        size_t size = (size_t)(t->bytes - at < step ? t->bytes - at : step);
        status = gguf_tensor_read(model, t, at, buffer, size, err);
        if (!status)
            XXH3_64bits_update(state, buffer, size);
    }
    return status;
}

enum gguf_status quant_verify(const struct gguf *model, const struct gguf *output,
                              const struct quant_item *items, size_t n, struct gguf_error *err)
{
    unsigned char *buffer = malloc(COPY_BYTES);
    XXH3_state_t *state = XXH3_createState();
    enum gguf_status status = buffer && state ? GGUF_OK : gguf_fail_memory(err);
    if (!status && gguf_tensor_count(output) != n)
        status = gguf_fail(err, GGUF_ERR_DATA, GGUF_NO_OFFSET,
                           "the output has %zu tensors; %zu were written",
                           gguf_tensor_count(output), n);
    for (size_t i = 0; i < n && !status; i++) {
        const struct gguf_tensor *t = gguf_tensor_at(output, i);
        struct gguf_str name = gguf_tensor_at(model, items[i].choice.tensor)->name;
        status = digest_tensor(output, t, buffer, state, err);
        if (!status && XXH3_64bits_digest(state) != items[i].digest)
            status =
                gguf_fail(err, GGUF_ERR_DATA, t->offset,
                          "tensor %s of the output differs from what was written: the disk "
                          "or the memory is faulty",
                          gguf_text(name).text);
    }
    XXH3_freeState(state);
    free(buffer);
    return status;
}
