/* Writes importance matrices in both forms; imatrix_read.c draws them. */
#define _GNU_SOURCE /* realpath */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "libgguf/error.h"
#include "quant/imatrix.h"
#include "quant/quant.h"

/* ---- The GGUF form --------------------------------------------------------------- */

static uint32_t narrow(uint64_t value)
{
    return value < UINT32_MAX ? (uint32_t)value : UINT32_MAX;
}

static enum gguf_status set_resume(struct gguf_writer *writer,
                                   const struct quant_origin *origin, struct gguf_error *err)
{
    enum gguf_status status = GGUF_OK;
    if (origin->text.size == 0)
        return status;
    if ((status = gguf_writer_set_string(writer, QUANT_KEY_TEXT, origin->text, err)) == 0 &&
        (status = gguf_writer_set_string(writer, QUANT_KEY_MODEL, origin->model, err)) == 0)
        status = gguf_writer_set_u32(writer, QUANT_KEY_DONE, origin->done, err);
    return status;
}

static enum gguf_status set_metadata(struct gguf_writer *writer,
                                     const struct quant_tally *tally,
                                     const struct quant_origin *origin, struct gguf_error *err)
{
    static const struct gguf_str type = {"imatrix", sizeof "imatrix" - 1};
    uint32_t chunks = narrow(quant_tally_chunks(tally, origin->chunk));
    enum gguf_status status;
    if ((status = gguf_writer_set_string(writer, "general.type", type, err)) == 0 &&
        (status = gguf_writer_set_strings(writer, QUANT_KEY_DATASETS, origin->datasets,
                                          origin->n_datasets, err)) == 0 &&
        (status = gguf_writer_set_u32(writer, QUANT_KEY_CHUNKS, chunks, err)) == 0 &&
        (status = gguf_writer_set_u32(writer, QUANT_KEY_CHUNK, origin->chunk, err)) == 0)
        status = set_resume(writer, origin, err);
    return status;
}

/* Declares [columns, experts] of F32 under the name of the tensor and a suffix. */
static enum gguf_status add_floats(struct gguf_writer *writer,
                                   const struct quant_squares *entry, uint64_t columns,
                                   const char *suffix, struct gguf_error *err)
{
    char name[GGUF_MAX_NAME + sizeof QUANT_SUMS_SUFFIX];
    const uint64_t ne[2] = {columns, entry->experts};
    size_t room = strlen(suffix);
    if (entry->name.size > GGUF_MAX_NAME)
        return gguf_fail(err, GGUF_ERR_UNSUPPORTED, GGUF_NO_OFFSET,
                         "'%s' is too long for the name of a tensor",
                         gguf_text(entry->name).text);
    memcpy(name, entry->name.data, entry->name.size);
    memcpy(name + entry->name.size, suffix, room + 1);
    return gguf_writer_add_tensor(writer, (struct gguf_str){name, entry->name.size + room},
                                  GGUF_F32, entry->experts > 1 ? 2 : 1, ne, GGUF_SHARD_AUTO,
                                  err);
}

static void floats_to_little(const float *values, size_t n, unsigned char *out)
{
    for (size_t i = 0; i < n; i++) {
        uint32_t bits;
        memcpy(&bits, &values[i], sizeof bits);
        for (int b = 0; b < 4; b++)
            out[4 * i + (size_t)b] = (unsigned char)(bits >> (8 * b));
    }
}

static enum gguf_status write_floats(struct gguf_writer *writer, size_t tensor,
                                     const float *values, uint64_t n, struct gguf_error *err)
{
    unsigned char block[4096];
    const size_t step = sizeof block / sizeof(float);
    enum gguf_status status = GGUF_OK;
    for (uint64_t from = 0; from < n && status == GGUF_OK; from += step) {
        size_t part = n - from < step ? (size_t)(n - from) : step;
        floats_to_little(values + from, part, block);
        status = gguf_writer_write(writer, tensor, from * sizeof(float), block,
                                   part * sizeof(float), err);
    }
    return status;
}

static enum gguf_status fill(struct gguf_writer *writer, const struct quant_tally *tally,
                             struct gguf_error *err)
{
    enum gguf_status status = gguf_writer_begin(writer, err);
    for (size_t i = 0; i < quant_tally_count(tally) && status == GGUF_OK; i++) {
        const struct quant_squares *entry = quant_tally_at(tally, i);
        status = write_floats(writer, 2 * i, entry->sums, entry->columns * entry->experts, err);
        if (status == GGUF_OK)
            status = write_floats(writer, 2 * i + 1, entry->counts, entry->experts, err);
    }
    return status == GGUF_OK ? gguf_writer_finish(writer, err) : status;
}

static enum gguf_status write_gguf(const struct quant_tally *tally, const char *path,
                                   const struct quant_origin *origin, struct gguf_error *err)
{
    const struct gguf_writer_options options = {.overwrite = true};
    struct gguf_writer *writer;
    enum gguf_status status = gguf_writer_new(&writer, path, &options, err);
    if (status == GGUF_OK)
        status = set_metadata(writer, tally, origin, err);
    for (size_t i = 0; i < quant_tally_count(tally) && status == GGUF_OK; i++) {
        const struct quant_squares *entry = quant_tally_at(tally, i);
        status = add_floats(writer, entry, entry->columns, QUANT_SUMS_SUFFIX, err);
        if (status == GGUF_OK)
            status = add_floats(writer, entry, 1, QUANT_COUNTS_SUFFIX, err);
    }
    if (status == GGUF_OK)
        status = fill(writer, tally, err);
    gguf_writer_free(writer);
    return status;
}

/* ---- The legacy form ------------------------------------------------------------- */

static void put_u32(FILE *file, uint32_t value)
{
    unsigned char bytes[4];
    for (int i = 0; i < 4; i++)
        bytes[i] = (unsigned char)(value >> (8 * i));
    fwrite(bytes, sizeof bytes, 1, file);
}

static void put_float(FILE *file, float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    put_u32(file, bits);
}

static void put_str(FILE *file, struct gguf_str s)
{
    put_u32(file, (uint32_t)s.size);
    if (s.size)
        fwrite(s.data, s.size, 1, file);
}

static float largest_count(const struct quant_squares *entry)
{
    float largest = 0;
    for (uint64_t e = 0; e < entry->experts; e++)
        largest = entry->counts[e] > largest ? entry->counts[e] : largest;
    return largest;
}

/* Chunks of an entry, the last one counted as whole; 0 where it has no count. */
static uint64_t calls_of(const struct quant_squares *entry, uint32_t chunk)
{
    return ((uint64_t)largest_count(entry) + chunk - 1) / chunk;
}

/* Means times calls; an expert without a count has means of 1. */
static void put_entry(FILE *file, const struct quant_squares *entry, uint32_t chunk)
{
    uint32_t calls = (uint32_t)calls_of(entry, chunk);
    put_str(file, entry->name);
    put_u32(file, calls);
    put_u32(file, (uint32_t)(entry->columns * entry->experts));
    for (uint64_t e = 0; e < entry->experts; e++) {
        float count = entry->counts[e];
        for (uint64_t c = 0; c < entry->columns; c++) {
            float mean = count > 0 ? entry->sums[e * entry->columns + c] / count : 1;
            put_float(file, mean * (float)calls);
        }
    }
}

static void put_all(FILE *file, const struct quant_tally *tally,
                    const struct quant_origin *origin)
{
    uint32_t used = 0;
    for (size_t i = 0; i < quant_tally_count(tally); i++)
        used += largest_count(quant_tally_at(tally, i)) > 0;
    put_u32(file, used);
    for (size_t i = 0; i < quant_tally_count(tally); i++) {
        if (largest_count(quant_tally_at(tally, i)) > 0)
            put_entry(file, quant_tally_at(tally, i), origin->chunk);
    }
    struct gguf_str last = {"", 0};
    if (origin->n_datasets)
        last = origin->datasets[origin->n_datasets - 1];
    put_u32(file, narrow(quant_tally_chunks(tally, origin->chunk)));
    put_str(file, last);
}

/* Signed 32-bit counts, and means that stay finite when they are multiplied. */
static enum gguf_status check_legacy(const struct quant_tally *tally,
                                     const struct quant_origin *origin, struct gguf_error *err)
{
    for (size_t i = 0; i < quant_tally_count(tally); i++) {
        const struct quant_squares *entry = quant_tally_at(tally, i);
        uint64_t values = entry->columns * entry->experts;
        if (!(largest_count(entry) < 0x1p31f * (float)origin->chunk) || values > INT32_MAX)
            return gguf_fail(err, GGUF_ERR_UNSUPPORTED, GGUF_NO_OFFSET,
                             "'%s' is too large for the legacy form; write the GGUF form",
                             gguf_text(entry->name).text);
    }
    return GGUF_OK;
}

/* A hidden file beside `path`; its name for the caller to free, NULL with errno. */
static char *open_beside(const char *path, FILE **file)
{
    char *name = gguf_hidden_name(path, "tmp");
    int fd = name ? gguf_hidden_create(name, path) : -1;
    *file = fd < 0 ? NULL : fdopen(fd, "wb");
    if (*file)
        return name;
    if (fd >= 0) {
        close(fd);
        unlink(name);
    }
    free(name);
    return NULL;
}

static enum gguf_status write_beside(const struct quant_tally *tally, const char *path,
                                     const struct quant_origin *origin, struct gguf_error *err)
{
    FILE *file;
    char *name = open_beside(path, &file);
    if (!name)
        return gguf_fail_errno(err, GGUF_NO_OFFSET, "%s: cannot create a file beside it", path);
    put_all(file, tally, origin);
    bool good = ferror(file) == 0 && fflush(file) == 0 && fsync(fileno(file)) == 0;
    int number = good ? 0 : errno;
    if (fclose(file) != 0 && good)
        good = false, number = errno;
    if (good && gguf_hidden_place(name, path) != 0)
        good = false, number = errno;
    enum gguf_status status = GGUF_OK;
    if (!good) {
        errno = number;
        status = gguf_fail_errno(err, GGUF_NO_OFFSET, "%s: cannot be written", path);
        unlink(name);
    }
    free(name);
    return status;
}

/* What a symbolic link points to is replaced, not the link. */
static enum gguf_status write_legacy(const struct quant_tally *tally, const char *path,
                                     const struct quant_origin *origin, struct gguf_error *err)
{
    enum gguf_status status = check_legacy(tally, origin, err);
    if (status != GGUF_OK)
        return status;
    struct stat old;
    if (stat(path, &old) == 0 && !S_ISREG(old.st_mode))
        return gguf_fail(err, GGUF_ERR_ARGUMENT, GGUF_NO_OFFSET, "%s: is not a regular file",
                         path);
    char *real = realpath(path, NULL);
    status = write_beside(tally, real ? real : path, origin, err);
    free(real);
    return status;
}

enum gguf_status quant_imatrix_write(const struct quant_tally *tally, const char *path,
                                     const struct quant_origin *origin, struct gguf_error *err)
{
    if (origin->chunk == 0 || quant_tally_count(tally) == 0)
        return gguf_fail(err, GGUF_ERR_ARGUMENT, GGUF_NO_OFFSET,
                         "an importance matrix needs entries and the size of a chunk");
    return origin->is_legacy ? write_legacy(tally, path, origin, err)
                             : write_gguf(tally, path, origin, err);
}
