/*
 * Importance matrices: for each input column of a tensor, the mean squared activation that
 * reaches it. Entries in memory; imatrix_read.c has the file forms.
 */
#include "quant/imatrix.h"

#include <float.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "libgguf/checked.h"
#include "libgguf/error.h"

/* ---- Entries --------------------------------------------------------------------- */

enum gguf_status imatrix_add(struct quant_imatrix *imatrix, struct gguf_str name,
                             uint64_t columns, uint64_t experts, struct gguf_error *err)
{
    uint64_t values, floats, bytes;
    if (!checked_mul(columns, experts, &values) || !checked_mul(values, 2, &floats) ||
        !checked_add(floats, experts, &floats) || !checked_mul(floats, sizeof(float), &bytes) ||
        bytes == 0 || bytes > SIZE_MAX)
        return gguf_fail_memory(err);

    struct imatrix_entry *entry = &imatrix->entries[imatrix->count];
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
        .sums = entry->weights + values,
        .counts = entry->weights + 2 * values,
    };
    return GGUF_OK;
}

static bool is_weight(float value)
{
    return value >= 0 && value <= FLT_MAX; /* false for NaN */
}

/* Turns the sums of an expert into means; where nothing was counted all columns weigh the
 * same. */
static enum gguf_status sums_to_means(const struct imatrix_entry *entry, uint64_t expert,
                                      struct gguf_error *err)
{
    const struct quant_importance *row = &entry->row;
    float count = row->counts[expert];
    if (!is_weight(count))
        return gguf_fail(err, GGUF_ERR_DATA, GGUF_NO_OFFSET,
                         "importance of '%s' has an impossible count, %g",
                         gguf_text(row->name).text, (double)count);
    for (uint64_t i = expert * row->columns; i < (expert + 1) * row->columns; i++) {
        float mean = count > 0 ? row->sums[i] / count : 1;
        if (!is_weight(row->sums[i]) || !is_weight(mean))
            return gguf_fail(
                err, GGUF_ERR_DATA, GGUF_NO_OFFSET,
                "importance of '%s' has an impossible value, %g, at index %" PRIu64,
                gguf_text(row->name).text, (double)row->sums[i], i - expert * row->columns);
        entry->weights[i] = mean;
    }
    return GGUF_OK;
}

enum gguf_status imatrix_means(const struct imatrix_entry *entry, struct gguf_error *err)
{
    enum gguf_status status = GGUF_OK;
    for (uint64_t e = 0; e < entry->row.experts && status == GGUF_OK; e++)
        status = sums_to_means(entry, e, err);
    return status;
}

float *imatrix_sums(const struct imatrix_entry *entry)
{
    return entry->weights + entry->row.columns * entry->row.experts;
}

float *imatrix_counts(const struct imatrix_entry *entry)
{
    return imatrix_sums(entry) + entry->row.columns * entry->row.experts;
}

/* ---- Origin ---------------------------------------------------------------------- */

/* Copies a text that `texts` has room for. */
static enum gguf_status keep_text(struct quant_imatrix *imatrix, struct gguf_str text,
                                  struct gguf_str *kept, struct gguf_error *err)
{
    char *copy = malloc(text.size + 1);
    if (!copy)
        return gguf_fail_memory(err);
    if (text.size)
        memcpy(copy, text.data, text.size);
    copy[text.size] = '\0';
    imatrix->texts[imatrix->n_texts++] = copy;
    *kept = (struct gguf_str){copy, text.size};
    return GGUF_OK;
}

enum gguf_status imatrix_keep_origin(struct quant_imatrix *imatrix,
                                     const struct quant_origin *origin, struct gguf_error *err)
{
    size_t n = origin->n_datasets;
    imatrix->texts = calloc(n + 2, sizeof *imatrix->texts);
    imatrix->datasets = calloc(n + 1, sizeof *imatrix->datasets);
    if (!imatrix->texts || !imatrix->datasets)
        return gguf_fail_memory(err);
    imatrix->origin = *origin;
    imatrix->origin.datasets = imatrix->datasets;
    enum gguf_status status = keep_text(imatrix, origin->text, &imatrix->origin.text, err);
    if (status == GGUF_OK)
        status = keep_text(imatrix, origin->model, &imatrix->origin.model, err);
    for (size_t i = 0; i < n && status == GGUF_OK; i++)
        status = keep_text(imatrix, origin->datasets[i], &imatrix->datasets[i], err);
    return status;
}

enum gguf_status imatrix_reserve(struct quant_imatrix *imatrix, size_t count,
                                 struct gguf_error *err)
{
    imatrix->entries = calloc(count ? count : 1, sizeof *imatrix->entries);
    return imatrix->entries ? GGUF_OK : gguf_fail_memory(err);
}

/* ---- Open and look up ------------------------------------------------------------ */

static int compare_entries(const void *left, const void *right)
{
    const struct imatrix_entry *const *a = left, *const *b = right;
    return gguf_str_compare((*a)->row.name, (*b)->row.name);
}

static enum gguf_status sort_entries(struct quant_imatrix *imatrix, struct gguf_error *err)
{
    imatrix->by_name =
        calloc(imatrix->count ? imatrix->count : 1, sizeof(struct imatrix_entry *));
    if (!imatrix->by_name)
        return gguf_fail_memory(err);
    for (size_t i = 0; i < imatrix->count; i++)
        imatrix->by_name[i] = &imatrix->entries[i];
    qsort(imatrix->by_name, imatrix->count, sizeof(struct imatrix_entry *), compare_entries);

    for (size_t i = 1; i < imatrix->count; i++) {
        if (compare_entries(&imatrix->by_name[i - 1], &imatrix->by_name[i]) == 0)
            return gguf_fail(err, GGUF_ERR_CORRUPT, GGUF_NO_OFFSET,
                             "importance matrix has two entries for '%s'",
                             gguf_text(imatrix->by_name[i]->row.name).text);
    }
    return GGUF_OK;
}

enum gguf_status quant_imatrix_open(struct quant_imatrix **out, const char *path,
                                    struct gguf_error *err)
{
    *out = NULL;
    struct quant_imatrix *imatrix = calloc(1, sizeof *imatrix);
    if (!imatrix)
        return gguf_fail_memory(err);

    enum gguf_status status = imatrix_read(imatrix, path, err);
    if (status == GGUF_OK)
        status = sort_entries(imatrix, err);
    if (status == GGUF_OK)
        *out = imatrix;
    else
        quant_imatrix_close(imatrix);
    return status;
}

static enum gguf_status take_sums(struct quant_imatrix *imatrix,
                                  const struct quant_squares *from, struct gguf_error *err)
{
    enum gguf_status status =
        imatrix_add(imatrix, from->name, from->columns, from->experts, err);
    if (status != GGUF_OK)
        return status;
    struct imatrix_entry *entry = &imatrix->entries[imatrix->count - 1];
    entry->row.divided = from->experts > 1;
    memcpy(imatrix_sums(entry), from->sums,
           (size_t)(from->columns * from->experts) * sizeof(float));
    memcpy(imatrix_counts(entry), from->counts, (size_t)from->experts * sizeof(float));
    return imatrix_means(entry, err);
}

enum gguf_status quant_imatrix_from_tally(struct quant_imatrix **out,
                                          const struct quant_tally *tally,
                                          const struct quant_origin *origin,
                                          struct gguf_error *err)
{
    *out = NULL;
    struct quant_imatrix *imatrix = calloc(1, sizeof *imatrix);
    if (!imatrix)
        return gguf_fail_memory(err);
    enum gguf_status status = imatrix_reserve(imatrix, quant_tally_count(tally), err);
    for (size_t i = 0; i < quant_tally_count(tally) && status == GGUF_OK; i++)
        status = take_sums(imatrix, quant_tally_at(tally, i), err);
    if (status == GGUF_OK)
        status = imatrix_keep_origin(imatrix, origin, err);
    if (status == GGUF_OK)
        status = sort_entries(imatrix, err);
    imatrix->origin.chunks = quant_tally_chunks(tally, origin->chunk);
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
    for (size_t i = 0; i < imatrix->n_texts; i++)
        free(imatrix->texts[i]);
    free(imatrix->texts);
    free(imatrix->datasets);
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
        int order = gguf_str_compare(name, row->name);
        if (order == 0)
            return row;
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}

const struct quant_origin *quant_imatrix_origin(const struct quant_imatrix *imatrix)
{
    return &imatrix->origin;
}

struct gguf_str quant_imatrix_dataset(const struct quant_imatrix *imatrix)
{
    return imatrix->origin.n_datasets ? imatrix->datasets[0] : (struct gguf_str){"", 0};
}

uint64_t quant_imatrix_chunks(const struct quant_imatrix *imatrix)
{
    return imatrix->origin.chunks;
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
