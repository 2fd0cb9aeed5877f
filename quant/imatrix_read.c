/*
 * The file forms of importance matrices, which hold the same numbers:
 *
 *   GGUF     general.type "imatrix"; for each tensor T
 *              T.in_sum2  f32 [columns, experts]   sum of squares
 *              T.counts   f32 [1, experts]         how many were added up
 *   legacy   all little-endian:
 *              i32 entries, then each: i32 length, name, i32 calls, i32 n, f32 sums[n]
 *              optionally: i32 chunks, i32 length, name of the text
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "libgguf/error.h"
#include "quant/imatrix.h"

static uint32_t little_u32(const unsigned char *bytes)
{
    return (uint32_t)bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 |
           (uint32_t)bytes[3] << 24;
}

/* Floats as a file stores them become the machine's, in place. */
static void floats_from_little(float *values, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        unsigned char bytes[4];
        memcpy(bytes, &values[i], sizeof bytes);
        uint32_t bits = little_u32(bytes);
        memcpy(&values[i], &bits, sizeof bits);
    }
}

/* ---- The legacy form ----------------------------------------------------------------- */

/* A file read from front to back; `left` bytes remain, and nothing is believed beyond. */
struct stream {
    FILE *file;
    uint64_t offset, left;
};

static enum gguf_status read_bytes(struct stream *stream, void *out, uint64_t size,
                                   struct gguf_error *err)
{
    if (size > stream->left)
        return gguf_fail(err, GGUF_ERR_TRUNCATED, stream->offset,
                         "importance matrix ends at byte %" PRIu64 ": %" PRIu64
                         " bytes expected, %" PRIu64 " left",
                         stream->offset + stream->left, size, stream->left);
    if (size && fread(out, (size_t)size, 1, stream->file) != 1) {
        if (ferror(stream->file))
            return gguf_fail_errno(err, stream->offset, "cannot read the importance matrix");
        return gguf_fail(err, GGUF_ERR_TRUNCATED, stream->offset,
                         "importance matrix became shorter while it was read");
    }
    stream->offset += size;
    stream->left -= size;
    return GGUF_OK;
}

/* A count: `unit` bytes or more follow for each, and there are `least` at least. */
static enum gguf_status read_count(struct stream *stream, uint32_t least, uint64_t unit,
                                   uint32_t *count, struct gguf_error *err)
{
    unsigned char bytes[4] = {0};
    enum gguf_status status = read_bytes(stream, bytes, sizeof bytes, err);
    if (status != GGUF_OK)
        return status;
    *count = little_u32(bytes);
    if (*count < least || *count > INT32_MAX)
        return gguf_fail(err, GGUF_ERR_CORRUPT, stream->offset - sizeof bytes,
                         "not an importance matrix: impossible count %ld",
                         (long)(int32_t)*count);
    if (*count * unit > stream->left)
        return gguf_fail(err, GGUF_ERR_TRUNCATED, stream->offset - sizeof bytes,
                         "importance matrix announces %lu items, and %" PRIu64
                         " bytes are left",
                         (unsigned long)*count, stream->left);
    return GGUF_OK;
}

static enum gguf_status read_name(struct stream *stream, char *name, struct gguf_str *out,
                                  struct gguf_error *err)
{
    uint32_t length;
    enum gguf_status status = read_count(stream, 1, 1, &length, err);
    if (status != GGUF_OK)
        return status;
    if (length > GGUF_MAX_NAME)
        return gguf_fail(err, GGUF_ERR_CORRUPT, stream->offset,
                         "not an importance matrix: a tensor name of %lu bytes",
                         (unsigned long)length);
    *out = (struct gguf_str){name, length};
    return read_bytes(stream, name, length, err);
}

static enum gguf_status read_entry(struct stream *stream, struct quant_imatrix *imatrix,
                                   struct gguf_error *err)
{
    char buffer[GGUF_MAX_NAME];
    struct gguf_str name = {buffer, 0};
    uint32_t calls, n;
    enum gguf_status status;
    if ((status = read_name(stream, buffer, &name, err)) != GGUF_OK ||
        (status = read_count(stream, 0, 0, &calls, err)) != GGUF_OK ||
        (status = read_count(stream, 1, sizeof(float), &n, err)) != GGUF_OK ||
        (status = imatrix_add(imatrix, name, n, 1, err)) != GGUF_OK)
        return status;

    const struct imatrix_entry *entry = &imatrix->entries[imatrix->count - 1];
    status = read_bytes(stream, imatrix_sums(entry), n * (uint64_t)sizeof(float), err);
    if (status != GGUF_OK)
        return status;
    floats_from_little(imatrix_sums(entry), n);
    *imatrix_counts(entry) = (float)calls;
    return imatrix_means(entry, err);
}

/* Chunks and the name of the text, which older files do not have. */
static enum gguf_status read_tail(struct stream *stream, struct quant_imatrix *imatrix,
                                  struct gguf_error *err)
{
    uint32_t chunks, length;
    enum gguf_status status;
    struct quant_origin origin = {.is_legacy = true};
    if (stream->left == 0)
        return imatrix_keep_origin(imatrix, &origin, err);
    if ((status = read_count(stream, 0, 0, &chunks, err)) != GGUF_OK ||
        (status = read_count(stream, 0, 1, &length, err)) != GGUF_OK)
        return status;
    if (length < stream->left)
        return gguf_fail(err, GGUF_ERR_CORRUPT, stream->offset + length,
                         "importance matrix is followed by %" PRIu64 " bytes of something else",
                         stream->left - length);

    char *text = malloc((size_t)length + 1);
    if (!text)
        return gguf_fail_memory(err);
    status = read_bytes(stream, text, length, err);
    const struct gguf_str dataset = {text, length};
    origin.datasets = &dataset;
    origin.n_datasets = length > 0;
    origin.chunks = chunks;
    if (status == GGUF_OK)
        status = imatrix_keep_origin(imatrix, &origin, err);
    free(text);
    return status;
}

static enum gguf_status read_legacy(struct stream *stream, struct quant_imatrix *imatrix,
                                    struct gguf_error *err)
{
    /* The smallest entry: a name of one byte, one value. */
    const uint64_t smallest = 4 + 1 + 4 + 4 + 4;
    uint32_t count;
    enum gguf_status status = read_count(stream, 1, smallest, &count, err);
    if (status == GGUF_OK)
        status = imatrix_reserve(imatrix, count, err);
    for (uint32_t i = 0; status == GGUF_OK && i < count; i++)
        status = read_entry(stream, imatrix, err);
    return status == GGUF_OK ? read_tail(stream, imatrix, err) : status;
}

/* ---- The GGUF form --------------------------------------------------------------------- */

static const char sums_suffix[] = QUANT_SUMS_SUFFIX;
static const char counts_suffix[] = QUANT_COUNTS_SUFFIX;

/* Cuts the suffix of the sums off; false if the name has none. */
static bool sums_name(struct gguf_str full, struct gguf_str *name)
{
    const size_t suffix = sizeof sums_suffix - 1;
    if (full.size <= suffix || memcmp(full.data + full.size - suffix, sums_suffix, suffix) != 0)
        return false;
    *name = (struct gguf_str){full.data, full.size - suffix};
    return true;
}

/* The counts that belong to the sums; NULL where they are missing or of another shape. */
static const struct gguf_tensor *
find_counts(const struct gguf *model, const struct gguf_tensor *sums, struct gguf_str name)
{
    char full[GGUF_MAX_NAME + sizeof counts_suffix];
    memcpy(full, name.data, name.size);
    memcpy(full + name.size, counts_suffix, sizeof counts_suffix);

    const struct gguf_tensor *counts = gguf_tensor_find(model, full);
    bool fits = counts && counts->readable && counts->type == GGUF_F32 &&
                counts->elements == sums->ne[1];
    return fits ? counts : NULL;
}

static enum gguf_status read_floats(const struct gguf *model, const struct gguf_tensor *tensor,
                                    float *out, struct gguf_error *err)
{
    enum gguf_status status =
        gguf_tensor_read(model, tensor, 0, out, (size_t)tensor->bytes, err);
    if (status == GGUF_OK)
        floats_from_little(out, (size_t)tensor->elements);
    return status;
}

static enum gguf_status read_sums(const struct gguf *model, const struct gguf_tensor *sums,
                                  struct gguf_str name, struct quant_imatrix *imatrix,
                                  struct gguf_error *err)
{
    const struct gguf_tensor *counts = find_counts(model, sums, name);
    bool matrix = sums->ne[0] && sums->ne[1] && sums->ne[2] == 1 && sums->ne[3] == 1;
    if (!counts || !matrix || !sums->readable || sums->type != GGUF_F32)
        return gguf_fail(err, GGUF_ERR_CORRUPT, GGUF_NO_OFFSET,
                         "importance of '%s' is not an F32 matrix with one count for each row",
                         gguf_text(name).text);

    enum gguf_status status = imatrix_add(imatrix, name, sums->ne[0], sums->ne[1], err);
    if (status != GGUF_OK)
        return status;
    struct imatrix_entry *entry = &imatrix->entries[imatrix->count - 1];
    entry->row.divided = sums->ne[1] > 1;
    if ((status = read_floats(model, sums, imatrix_sums(entry), err)) == GGUF_OK &&
        (status = read_floats(model, counts, imatrix_counts(entry), err)) == GGUF_OK)
        status = imatrix_means(entry, err);
    return status;
}

static uint32_t u32_of(const struct gguf *model, const char *key)
{
    uint64_t value = 0;
    gguf_get_u64(model, key, &value);
    return value <= UINT32_MAX ? (uint32_t)value : 0;
}

static enum gguf_status read_origin(const struct gguf *model, struct quant_imatrix *imatrix,
                                    struct gguf_error *err)
{
    struct quant_origin origin = {.chunk = u32_of(model, QUANT_KEY_CHUNK),
                                  .done = u32_of(model, QUANT_KEY_DONE)};
    struct gguf_value value = {0};
    gguf_get_u64(model, QUANT_KEY_CHUNKS, &origin.chunks);
    gguf_get_string(model, QUANT_KEY_TEXT, &origin.text);
    gguf_get_string(model, QUANT_KEY_MODEL, &origin.model);
    gguf_get_array(model, QUANT_KEY_DATASETS, GGUF_VALUE_STRING, &value);

    struct gguf_str *datasets = calloc((size_t)value.count + 1, sizeof *datasets);
    if (!datasets)
        return gguf_fail_memory(err);
    struct gguf_iter it = gguf_items(value);
    for (struct gguf_value item; origin.n_datasets < value.count && gguf_next(&it, &item);)
        gguf_value_string(item, &datasets[origin.n_datasets++]);
    origin.datasets = datasets;
    enum gguf_status status = imatrix_keep_origin(imatrix, &origin, err);
    free(datasets);
    return status;
}

static enum gguf_status read_gguf(const struct gguf *model, struct quant_imatrix *imatrix,
                                  struct gguf_error *err)
{
    size_t count = gguf_tensor_count(model);
    enum gguf_status status = imatrix_reserve(imatrix, count, err);
    for (size_t i = 0; status == GGUF_OK && i < count; i++) {
        const struct gguf_tensor *tensor = gguf_tensor_at(model, i);
        struct gguf_str name;
        if (sums_name(tensor->name, &name))
            status = read_sums(model, tensor, name, imatrix, err);
    }
    if (status == GGUF_OK && imatrix->count == 0)
        return gguf_fail(err, GGUF_ERR_UNSUPPORTED, GGUF_NO_OFFSET,
                         "a GGUF file without importance: no tensor is called NAME%s",
                         sums_suffix);
    return status == GGUF_OK ? read_origin(model, imatrix, err) : status;
}

/* Opens a regular file; a pipe or device would never end. */
static enum gguf_status open_stream(struct stream *stream, const char *path,
                                    struct gguf_error *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return gguf_fail_errno(err, GGUF_NO_OFFSET, "cannot open the importance matrix");

    struct stat info = {0};
    bool known = fstat(fd, &info) == 0;
    if (known && S_ISREG(info.st_mode))
        stream->file = fdopen(fd, "rb");
    stream->offset = 0;
    stream->left = (uint64_t)info.st_size;
    if (stream->file)
        return GGUF_OK;

    enum gguf_status status =
        known && !S_ISREG(info.st_mode)
            ? gguf_fail(err, GGUF_ERR_ARGUMENT, GGUF_NO_OFFSET, "not a regular file")
            : gguf_fail_errno(err, GGUF_NO_OFFSET, "cannot open the importance matrix");
    close(fd);
    return status;
}

enum gguf_status imatrix_read(struct quant_imatrix *imatrix, const char *path,
                              struct gguf_error *err)
{
    struct stream stream = {0};
    enum gguf_status status = open_stream(&stream, path, err);
    if (status != GGUF_OK)
        return status;

    char magic[4] = "";
    bool is_gguf = fread(magic, sizeof magic, 1, stream.file) == 1 &&
                   memcmp(magic, "GGUF", sizeof magic) == 0;
    if (!is_gguf) {
        rewind(stream.file);
        status = read_legacy(&stream, imatrix, err);
    }
    fclose(stream.file);
    if (!is_gguf)
        return status;

    struct gguf *model;
    status = gguf_open(&model, path, 0, err);
    if (status == GGUF_OK)
        status = read_gguf(model, imatrix, err);
    gguf_close(model);
    return status;
}
