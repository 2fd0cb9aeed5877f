/*
 * Importance matrices: for each input column of a tensor, the mean squared activation
 * that reaches it. Two file forms hold the same numbers:
 *
 *   GGUF     general.type "imatrix"; for each tensor T
 *              T.in_sum2  f32 [columns, experts]   sum of squares
 *              T.counts   f32 [1, experts]         how many were added up
 *   legacy   all little-endian:
 *              i32 entries, then each: i32 length, name, i32 calls, i32 n, f32 sums[n]
 *              optionally: i32 chunks, i32 length, name of the text
 */
#include "quant/quant.h"
#include "libgguf/checked.h"
#include "libgguf/error.h"

#include <errno.h>
#include <fcntl.h>
#include <float.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct entry {
    struct quant_importance row; /* `name` and `weights` point to the two below */
    char *name;
    float *weights;
};

struct quant_imatrix {
    struct entry *entries;
    size_t count;
    const struct entry **by_name; /* sorted */
    char *dataset;
    size_t dataset_size;
    uint64_t chunks;
};

/* ---- Entries --------------------------------------------------------------------- */

/* Adds an entry with uninitialized weights; `entries` has room for it. Sizes come from
 * a file, but the caller has seen that the file is large enough to hold them. */
static enum gguf_status add_entry(struct quant_imatrix *imatrix, struct gguf_str name,
                                  uint64_t columns, uint64_t experts, struct gguf_error *err)
{
    uint64_t values, bytes;
    if (!checked_mul(columns, experts, &values) ||
        !checked_mul(values, sizeof(float), &bytes) || bytes > SIZE_MAX)
        return gguf_fail_memory(err);

    struct entry *entry = &imatrix->entries[imatrix->count];
    entry->name = malloc(name.size + 1);
    entry->weights = malloc((size_t)bytes);
    imatrix->count++;
    if (!entry->name || !entry->weights)
        return gguf_fail_memory(err);

    memcpy(entry->name, name.data, name.size);
    entry->name[name.size] = '\0';
    entry->row = (struct quant_importance){
        .name = {entry->name, name.size},
        .columns = columns,
        .experts = experts,
        .weights = entry->weights,
    };
    return GGUF_OK;
}

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

static bool is_weight(float value)
{
    return value >= 0 && value <= FLT_MAX; /* false for NaN */
}

/* Turns sums into means; where nothing was counted all columns weigh the same. */
static enum gguf_status sums_to_means(float *sums, uint64_t n, float count,
                                      struct gguf_str name, struct gguf_error *err)
{
    for (uint64_t i = 0; i < n; i++) {
        float mean = count > 0 ? sums[i] / count : 1;
        if (!is_weight(sums[i]) || !is_weight(mean))
            return gguf_fail(
                err, GGUF_ERR_DATA, GGUF_NO_OFFSET,
                "importance of '%s' has an impossible value, %g, at index %" PRIu64,
                gguf_text(name).text, (double)sums[i], i);
        sums[i] = mean;
    }
    return GGUF_OK;
}

static enum gguf_status set_dataset(struct quant_imatrix *imatrix, struct gguf_str dataset,
                                    struct gguf_error *err)
{
    imatrix->dataset = malloc(dataset.size + 1);
    if (!imatrix->dataset)
        return gguf_fail_memory(err);
    if (dataset.size)
        memcpy(imatrix->dataset, dataset.data, dataset.size);
    imatrix->dataset[dataset.size] = '\0';
    imatrix->dataset_size = dataset.size;
    return GGUF_OK;
}

static enum gguf_status reserve(struct quant_imatrix *imatrix, size_t count,
                                struct gguf_error *err)
{
    imatrix->entries = calloc(count ? count : 1, sizeof *imatrix->entries);
    return imatrix->entries ? GGUF_OK : gguf_fail_memory(err);
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
        (status = add_entry(imatrix, name, n, 1, err)) != GGUF_OK)
        return status;

    float *weights = imatrix->entries[imatrix->count - 1].weights;
    status = read_bytes(stream, weights, n * (uint64_t)sizeof(float), err);
    if (status != GGUF_OK)
        return status;
    floats_from_little(weights, n);
    return sums_to_means(weights, n, (float)calls, name, err);
}

/* Chunks and the name of the text, which older files do not have. */
static enum gguf_status read_tail(struct stream *stream, struct quant_imatrix *imatrix,
                                  struct gguf_error *err)
{
    uint32_t chunks, length;
    enum gguf_status status;
    if (stream->left == 0)
        return GGUF_OK;
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
    if (status == GGUF_OK)
        status = set_dataset(imatrix, (struct gguf_str){text, length}, err);
    imatrix->chunks = chunks;
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
        status = reserve(imatrix, count, err);
    for (uint32_t i = 0; status == GGUF_OK && i < count; i++)
        status = read_entry(stream, imatrix, err);
    return status == GGUF_OK ? read_tail(stream, imatrix, err) : status;
}

/* ---- The GGUF form --------------------------------------------------------------------- */

static const char sums_suffix[] = ".in_sum2";
static const char counts_suffix[] = ".counts";

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

/* Divides the sums of each expert by its count. */
static enum gguf_status divide_experts(struct entry *entry, const float *counts,
                                       struct gguf_error *err)
{
    const struct quant_importance *row = &entry->row;
    for (uint64_t e = 0; e < row->experts; e++) {
        if (!is_weight(counts[e]))
            return gguf_fail(err, GGUF_ERR_DATA, GGUF_NO_OFFSET,
                             "importance of '%s' has an impossible count, %g",
                             gguf_text(row->name).text, (double)counts[e]);
        enum gguf_status status = sums_to_means(entry->weights + e * row->columns, row->columns,
                                                counts[e], row->name, err);
        if (status != GGUF_OK)
            return status;
    }
    return GGUF_OK;
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

    enum gguf_status status = add_entry(imatrix, name, sums->ne[0], sums->ne[1], err);
    if (status != GGUF_OK)
        return status;
    struct entry *entry = &imatrix->entries[imatrix->count - 1];
    entry->row.divided = true;

    float *divisors = malloc((size_t)counts->bytes);
    if (!divisors)
        return gguf_fail_memory(err);
    if ((status = read_floats(model, sums, entry->weights, err)) == GGUF_OK &&
        (status = read_floats(model, counts, divisors, err)) == GGUF_OK)
        status = divide_experts(entry, divisors, err);
    free(divisors);
    return status;
}

static enum gguf_status read_source(const struct gguf *model, struct quant_imatrix *imatrix,
                                    struct gguf_error *err)
{
    struct gguf_value datasets, first;
    struct gguf_str dataset = {"", 0};
    if (gguf_get_array(model, "imatrix.datasets", GGUF_VALUE_STRING, &datasets)) {
        struct gguf_iter it = gguf_items(datasets);
        if (gguf_next(&it, &first))
            gguf_value_string(first, &dataset);
    }
    gguf_get_u64(model, "imatrix.chunk_count", &imatrix->chunks);
    return set_dataset(imatrix, dataset, err);
}

static enum gguf_status read_gguf(const struct gguf *model, struct quant_imatrix *imatrix,
                                  struct gguf_error *err)
{
    size_t count = gguf_tensor_count(model);
    enum gguf_status status = reserve(imatrix, count, err);
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
    return status == GGUF_OK ? read_source(model, imatrix, err) : status;
}

/* ---- Open and look up ------------------------------------------------------------ */

static int compare_names(struct gguf_str a, struct gguf_str b)
{
    int order = memcmp(a.data, b.data, a.size < b.size ? a.size : b.size);
    return order ? order : (a.size > b.size) - (a.size < b.size);
}

static int compare_entries(const void *left, const void *right)
{
    const struct entry *const *a = left, *const *b = right;
    return compare_names((*a)->row.name, (*b)->row.name);
}

static enum gguf_status sort_entries(struct quant_imatrix *imatrix, struct gguf_error *err)
{
    imatrix->by_name = calloc(imatrix->count ? imatrix->count : 1, sizeof(struct entry *));
    if (!imatrix->by_name)
        return gguf_fail_memory(err);
    for (size_t i = 0; i < imatrix->count; i++)
        imatrix->by_name[i] = &imatrix->entries[i];
    qsort(imatrix->by_name, imatrix->count, sizeof(struct entry *), compare_entries);

    for (size_t i = 1; i < imatrix->count; i++) {
        if (compare_entries(&imatrix->by_name[i - 1], &imatrix->by_name[i]) == 0)
            return gguf_fail(err, GGUF_ERR_CORRUPT, GGUF_NO_OFFSET,
                             "importance matrix has two entries for '%s'",
                             gguf_text(imatrix->by_name[i]->row.name).text);
    }
    return GGUF_OK;
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

static enum gguf_status read_file(struct quant_imatrix *imatrix, const char *path,
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

enum gguf_status quant_imatrix_open(struct quant_imatrix **out, const char *path,
                                    struct gguf_error *err)
{
    *out = NULL;
    struct quant_imatrix *imatrix = calloc(1, sizeof *imatrix);
    if (!imatrix)
        return gguf_fail_memory(err);

    enum gguf_status status = read_file(imatrix, path, err);
    if (status == GGUF_OK)
        status = sort_entries(imatrix, err);
    if (status == GGUF_OK)
        *out = imatrix;
    else
        quant_imatrix_close(imatrix);
    return status;
}

void quant_imatrix_close(struct quant_imatrix *imatrix)
{
    if (!imatrix)
        return;
    for (size_t i = 0; i < imatrix->count; i++) {
        free(imatrix->entries[i].name);
        free(imatrix->entries[i].weights);
    }
    free(imatrix->entries);
    free(imatrix->by_name);
    free(imatrix->dataset);
    free(imatrix);
}

size_t quant_imatrix_count(const struct quant_imatrix *imatrix)
{
    return imatrix->count;
}

const struct quant_importance *quant_imatrix_at(const struct quant_imatrix *imatrix,
                                                size_t index)
{
    return index < imatrix->count ? &imatrix->entries[index].row : NULL;
}

const struct quant_importance *quant_imatrix_find(const struct quant_imatrix *imatrix,
                                                  struct gguf_str name)
{
    size_t low = 0, high = imatrix->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const struct quant_importance *row = &imatrix->by_name[middle]->row;
        int order = compare_names(name, row->name);
        if (order == 0)
            return row;
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}

struct gguf_str quant_imatrix_dataset(const struct quant_imatrix *imatrix)
{
    return (struct gguf_str){imatrix->dataset ? imatrix->dataset : "", imatrix->dataset_size};
}

uint64_t quant_imatrix_chunks(const struct quant_imatrix *imatrix)
{
    return imatrix->chunks;
}

/* ---- Weights of a tensor --------------------------------------------------------- */

bool quant_importance_fits(const struct quant_importance *importance,
                           const struct gguf_tensor *tensor)
{
    uint64_t matrices, values;
    if (!importance || !checked_mul(tensor->ne[2], tensor->ne[3], &matrices) ||
        !checked_mul(matrices, tensor->ne[0], &values))
        return false;
    if (importance->divided)
        return importance->columns == tensor->ne[0] && importance->experts == matrices;
    return importance->columns == values;
}

const float *quant_importance_row(const struct quant_importance *importance, uint64_t columns,
                                  uint64_t expert)
{
    if (!importance || columns == 0)
        return NULL;
    bool fits = importance->divided ? importance->columns == columns
                                    : importance->columns % columns == 0;
    uint64_t experts =
        importance->divided ? importance->experts : importance->columns / columns;
    return fits && expert < experts ? importance->weights + expert * columns : NULL;
}
