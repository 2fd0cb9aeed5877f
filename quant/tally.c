/* Sums of squared activations, by tensor: adding up and merging. */
#include <float.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "libgguf/checked.h"
#include "libgguf/error.h"
#include "quant/quant.h"

struct entry {
    struct quant_squares squares; /* its pointers are those below */
    char *name;
    float *sums, *counts;
};

struct quant_tally {
    struct entry **entries; /* by name */
    size_t count, capacity;
};

enum gguf_status quant_tally_new(struct quant_tally **out, struct gguf_error *err)
{
    *out = calloc(1, sizeof **out);
    return *out ? GGUF_OK : gguf_fail_memory(err);
}

static void free_entry(struct entry *entry)
{
    if (!entry)
        return;
    free(entry->name);
    free(entry->sums);
    free(entry->counts);
    free(entry);
}

void quant_tally_free(struct quant_tally *tally)
{
    if (!tally)
        return;
    for (size_t i = 0; i < tally->count; i++)
        free_entry(tally->entries[i]);
    free(tally->entries);
    free(tally);
}

size_t quant_tally_count(const struct quant_tally *tally)
{
    return tally->count;
}

const struct quant_squares *quant_tally_at(const struct quant_tally *tally, size_t index)
{
    return index < tally->count ? &tally->entries[index]->squares : NULL;
}

uint64_t quant_tally_chunks(const struct quant_tally *tally, uint32_t chunk)
{
    float largest = 0;
    for (size_t i = 0; i < tally->count; i++) {
        const struct quant_squares *entry = &tally->entries[i]->squares;
        for (uint64_t e = 0; e < entry->experts; e++)
            largest = entry->counts[e] > largest ? entry->counts[e] : largest;
    }
    return chunk && largest < (float)INT64_MAX ? (uint64_t)largest / chunk : 0;
}

/* ---- Entries --------------------------------------------------------------------- */

/* Index of the entry, or where it belongs. */
static size_t place_of(const struct quant_tally *tally, struct gguf_str name, bool *found)
{
    size_t low = 0, high = tally->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (gguf_str_compare(tally->entries[middle]->squares.name, name) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    *found =
        low < tally->count && gguf_str_compare(tally->entries[low]->squares.name, name) == 0;
    return low;
}

static struct entry *make_entry(struct gguf_str name, uint64_t columns, uint64_t experts)
{
    uint64_t values, bytes;
    struct entry *entry = calloc(1, sizeof *entry);
    if (!entry || !checked_mul(columns, experts, &values) ||
        !checked_mul(values, sizeof(float), &bytes) || bytes > SIZE_MAX) {
        free(entry);
        return NULL;
    }
    entry->name = calloc(name.size + 1, 1);
    entry->sums = calloc(values ? (size_t)values : 1, sizeof(float));
    entry->counts = calloc(experts ? (size_t)experts : 1, sizeof(float));
    if (!entry->name || !entry->sums || !entry->counts) {
        free_entry(entry);
        return NULL;
    }
    memcpy(entry->name, name.data, name.size);
    entry->squares = (struct quant_squares){
        {entry->name, name.size}, columns, experts, entry->sums, entry->counts};
    return entry;
}

static bool insert(struct quant_tally *tally, size_t at, struct entry *entry)
{
    if (tally->count == tally->capacity) {
        size_t capacity = 2 * tally->capacity + 64;
        struct entry **more = realloc(tally->entries, capacity * sizeof(*more));
        if (!more)
            return false;
        tally->entries = more;
        tally->capacity = capacity;
    }
    memmove(tally->entries + at + 1, tally->entries + at,
            (tally->count - at) * sizeof(*tally->entries));
    tally->entries[at] = entry;
    tally->count++;
    return true;
}

/* One count for all experts becomes one for each. */
static bool divide(struct entry *entry, uint64_t columns, uint64_t experts)
{
    float *counts = malloc((size_t)experts * sizeof(float));
    if (!counts)
        return false;
    for (uint64_t e = 0; e < experts; e++)
        counts[e] = entry->counts[0];
    free(entry->counts);
    entry->squares.counts = entry->counts = counts;
    entry->squares.columns = columns;
    entry->squares.experts = experts;
    return true;
}

/* Whether an entry takes sums of these sizes. */
static bool is_compatible(const struct quant_squares *entry, uint64_t columns, uint64_t experts)
{
    uint64_t values;
    if (entry->experts == experts || (entry->experts > 1 && experts > 1))
        return entry->experts == experts && entry->columns == columns;
    return checked_mul(columns, experts, &values) && values == entry->columns * entry->experts;
}

/* The entry of a name; NULL without memory. */
static struct entry *find_or_make(struct quant_tally *tally, struct gguf_str name,
                                  uint64_t columns, uint64_t experts)
{
    bool found;
    size_t at = place_of(tally, name, &found);
    if (found)
        return tally->entries[at];
    struct entry *entry = make_entry(name, columns, experts);
    if (entry && insert(tally, at, entry))
        return entry;
    free_entry(entry);
    return NULL;
}

enum gguf_status quant_tally_entry(struct quant_tally *tally, struct gguf_str name,
                                   uint64_t columns, uint64_t experts,
                                   struct quant_squares **out, struct gguf_error *err)
{
    *out = NULL;
    if (columns == 0 || experts == 0)
        return gguf_fail(err, GGUF_ERR_ARGUMENT, GGUF_NO_OFFSET, "'%s' has no columns",
                         gguf_text(name).text);
    struct entry *entry = find_or_make(tally, name, columns, experts);
    if (!entry)
        return gguf_fail_memory(err);
    const struct quant_squares *old = &entry->squares;
    if (!is_compatible(old, columns, experts))
        return gguf_fail(err, GGUF_ERR_DATA, GGUF_NO_OFFSET,
                         "importance of '%s' has %" PRIu64 " x %" PRIu64
                         " columns, and %" PRIu64 " x %" PRIu64
                         " before: they are of different models",
                         gguf_text(name).text, experts, columns, old->experts, old->columns);
    if (experts > old->experts && !divide(entry, columns, experts))
        return gguf_fail_memory(err);
    *out = &entry->squares;
    return GGUF_OK;
}

/* ---- Merging --------------------------------------------------------------------- */

static enum gguf_status merge_entry(struct quant_tally *tally,
                                    const struct quant_importance *from, float scale,
                                    struct gguf_error *err)
{
    struct quant_squares *entry;
    enum gguf_status status =
        quant_tally_entry(tally, from->name, from->columns, from->experts, &entry, err);
    if (!entry)
        return status;
    for (uint64_t i = 0; i < from->columns * from->experts; i++) {
        entry->sums[i] += from->sums[i] * scale;
        if (!(entry->sums[i] <= FLT_MAX))
            return gguf_fail(err, GGUF_ERR_DATA, GGUF_NO_OFFSET,
                             "the sums of '%s' are too large for float, at index %" PRIu64,
                             gguf_text(from->name).text, i);
    }
    for (uint64_t e = 0; e < entry->experts; e++)
        entry->counts[e] += from->counts[from->experts > 1 ? e : 0] * scale;
    return GGUF_OK;
}

enum gguf_status quant_tally_merge(struct quant_tally *tally, const struct quant_imatrix *more,
                                   uint32_t chunk, struct gguf_error *err)
{
    float scale = quant_imatrix_origin(more)->is_legacy ? (float)chunk : 1;
    enum gguf_status status = GGUF_OK;
    for (size_t i = 0; i < quant_imatrix_count(more) && status == GGUF_OK; i++)
        status = merge_entry(tally, quant_imatrix_at(more, i), scale, err);
    return status;
}
