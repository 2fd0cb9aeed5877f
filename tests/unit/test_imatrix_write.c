/* Importance matrices that are written, read back and merged, in both file forms. */
#include "quant/quant.h"

#include <float.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/unit/scratch.h"

#define CHUNK 8

static struct gguf_str str(const char *s)
{
    return (struct gguf_str){s, strlen(s)};
}

static struct quant_squares *entry_of(struct quant_tally *tally, const char *name,
                                      uint64_t columns, uint64_t experts)
{
    struct quant_squares *entry;
    assert_int_equal(quant_tally_entry(tally, str(name), columns, experts, &entry, NULL),
                     GGUF_OK);
    return entry;
}

static void fill(struct quant_squares *entry, float first, float count)
{
    for (uint64_t i = 0; i < entry->columns * entry->experts; i++)
        entry->sums[i] = first + (float)i;
    for (uint64_t e = 0; e < entry->experts; e++)
        entry->counts[e] = count;
}

/* A matrix and three experts, one of which saw nothing. */
static struct quant_tally *small_tally(void)
{
    struct quant_tally *tally;
    assert_int_equal(quant_tally_new(&tally, NULL), GGUF_OK);
    struct quant_squares *exps = entry_of(tally, "blk.1.up_exps.weight", 2, 3);
    fill(exps, 3, 8);
    exps->counts[1] = 0;
    exps->sums[2] = exps->sums[3] = 0;
    fill(entry_of(tally, "blk.0.up.weight", 4, 1), 1, 16);
    return tally;
}

static const struct gguf_str texts[] = {{"old.txt", 7}, {"new.txt", 7}};

static struct quant_origin origin_of(bool is_legacy)
{
    return (struct quant_origin){.datasets = texts,
                                 .n_datasets = 2,
                                 .chunk = CHUNK,
                                 .is_legacy = is_legacy,
                                 .text = str("0123"),
                                 .model = str("4567"),
                                 .done = 2};
}

static struct quant_imatrix *written(struct scratch *s, const struct quant_tally *tally,
                                     bool is_legacy)
{
    struct quant_origin origin = origin_of(is_legacy);
    struct quant_imatrix *imatrix;
    struct gguf_error err;
    const char *path = scratch_path(s, is_legacy ? "i.dat" : "i.gguf");
    if (quant_imatrix_write(tally, path, &origin, &err) != GGUF_OK ||
        quant_imatrix_open(&imatrix, path, &err) != GGUF_OK)
        fail_msg("%s", err.message);
    return imatrix;
}

/* ---- Files ----------------------------------------------------------------------- */

static void gguf_form(void **state)
{
    struct quant_tally *tally = small_tally();
    struct quant_imatrix *imatrix = written(*state, tally, false);
    const struct quant_origin *origin = quant_imatrix_origin(imatrix);
    assert_int_equal(quant_imatrix_count(imatrix), 2);
    assert_int_equal(origin->n_datasets, 2);
    assert_true(gguf_str_equal(origin->datasets[1], "new.txt"));
    assert_int_equal(origin->chunk, CHUNK);
    assert_int_equal(origin->chunks, 2);
    assert_true(gguf_str_equal(origin->text, "0123"));
    assert_true(gguf_str_equal(origin->model, "4567"));
    assert_int_equal(origin->done, 2);
    assert_false(origin->is_legacy);

    const struct quant_importance *up = quant_imatrix_at(imatrix, 0);
    assert_true(gguf_str_equal(up->name, "blk.0.up.weight"));
    assert_true(up->weights[3] == 4.0f / 16 && up->sums[3] == 4 && up->counts[0] == 16);
    const struct quant_importance *exps = quant_imatrix_at(imatrix, 1);
    assert_true(exps->divided && exps->columns == 2 && exps->experts == 3);
    assert_true(exps->weights[1] == 4.0f / 8 && exps->weights[2] == 1 && exps->weights[5] == 1);
    quant_imatrix_close(imatrix);
    quant_tally_free(tally);
    assert_int_equal(scratch_count(*state), 1);
}

/* The tensors that llama-imatrix would write: names, order and dimensions. */
static void gguf_tensors(void **state)
{
    struct quant_tally *tally = small_tally();
    quant_imatrix_close(written(*state, tally, false));
    quant_tally_free(tally);
    static const struct {
        const char *name;
        uint32_t n_dims;
        uint64_t ne[2];
    } expected[] = {{"blk.0.up.weight.in_sum2", 1, {4, 1}},
                    {"blk.0.up.weight.counts", 1, {1, 1}},
                    {"blk.1.up_exps.weight.in_sum2", 2, {2, 3}},
                    {"blk.1.up_exps.weight.counts", 2, {1, 3}}};
    struct gguf *file;
    struct gguf_str type;
    assert_int_equal(gguf_open(&file, scratch_path(*state, "i.gguf"), 0, NULL), GGUF_OK);
    assert_true(gguf_get_string(file, "general.type", &type) &&
                gguf_str_equal(type, "imatrix"));
    assert_int_equal(gguf_tensor_count(file), 4);
    for (size_t i = 0; i < 4; i++) {
        const struct gguf_tensor *t = gguf_tensor_at(file, i);
        assert_true(gguf_str_equal(t->name, expected[i].name));
        assert_int_equal(t->n_dims, expected[i].n_dims);
        assert_memory_equal(t->ne, expected[i].ne, sizeof expected[i].ne);
    }
    gguf_close(file);
}

/* Means times chunks, by the byte. */
static void legacy_form(void **state)
{
    struct quant_tally *tally;
    assert_int_equal(quant_tally_new(&tally, NULL), GGUF_OK);
    struct quant_squares *entry = entry_of(tally, "w", 1, 2);
    entry->sums[0] = 6;
    entry->counts[0] = 12; /* one chunk and a half: two calls */
    entry_of(tally, "unseen", 1, 1);
    quant_imatrix_close(written(*state, tally, true));
    quant_tally_free(tally);

    static const unsigned char expected[] = {
        1, 0, 0,   0,  1, 0, 0, 0,  'w', 2,   0,   0,   0,   2,   0,  0, 0, /* two values */
        0, 0, 128, 63, 0, 0, 0, 64,                                         /* 0.5 * 2, 1 * 2 */
        1, 0, 0,   0,  7, 0, 0, 0,  'n', 'e', 'w', '.', 't', 'x', 't'};
    size_t size;
    unsigned char *found = scratch_read(scratch_path(*state, "i.dat"), &size);
    assert_int_equal(size, sizeof expected);
    assert_memory_equal(found, expected, size);
    free(found);
    assert_int_equal(scratch_count(*state), 1);
}

static void in_memory_as_in_the_file(void **state)
{
    struct quant_tally *tally = small_tally();
    struct quant_origin origin = origin_of(false);
    struct quant_imatrix *file = written(*state, tally, false), *memory;
    assert_int_equal(quant_imatrix_from_tally(&memory, tally, &origin, NULL), GGUF_OK);
    assert_int_equal(quant_imatrix_chunks(memory), quant_imatrix_chunks(file));
    assert_int_equal(quant_imatrix_count(memory), quant_imatrix_count(file));
    for (size_t i = 0; i < 2; i++) {
        const struct quant_importance *a = quant_imatrix_at(file, i);
        const struct quant_importance *b = quant_imatrix_find(memory, a->name);
        assert_non_null(b);
        assert_true(a->divided == b->divided && a->columns == b->columns);
        assert_memory_equal(a->weights, b->weights,
                            (size_t)(a->columns * a->experts) * sizeof(float));
    }
    quant_imatrix_close(file);
    quant_imatrix_close(memory);
    quant_tally_free(tally);
}

static void unwritable(void **state)
{
    struct quant_tally *tally = small_tally(), *empty;
    struct gguf_error err;
    char path[600];
    for (int legacy = 0; legacy < 2; legacy++) {
        struct quant_origin origin = origin_of(legacy);
        (void)snprintf(path, sizeof path, "%s/none/i", ((struct scratch *)*state)->dir);
        assert_int_equal(quant_imatrix_write(tally, path, &origin, &err), GGUF_ERR_IO);
        assert_non_null(strstr(err.message, path));
        const char *folder = ((struct scratch *)*state)->dir;
        assert_int_not_equal(quant_imatrix_write(tally, folder, &origin, &err), GGUF_OK);
        origin.chunk = 0;
        assert_int_equal(quant_imatrix_write(tally, path, &origin, &err), GGUF_ERR_ARGUMENT);
    }
    assert_int_equal(quant_tally_new(&empty, NULL), GGUF_OK);
    struct quant_origin origin = origin_of(true);
    assert_int_equal(quant_imatrix_write(empty, path, &origin, &err), GGUF_ERR_ARGUMENT);
    quant_tally_free(empty);
    quant_tally_free(tally);
    assert_int_equal(scratch_count(*state), 0);
}

/* ---- Merging --------------------------------------------------------------------- */

static void merge_adds(void **state)
{
    struct quant_tally *tally = small_tally();
    struct quant_imatrix *more = written(*state, tally, false);
    assert_int_equal(quant_tally_merge(tally, more, CHUNK, NULL), GGUF_OK);
    const struct quant_squares *up = quant_tally_at(tally, 0), *exps = quant_tally_at(tally, 1);
    assert_true(up->sums[3] == 8 && up->counts[0] == 32);
    assert_true(exps->sums[5] == 16 && exps->counts[1] == 0 && exps->counts[2] == 16);
    assert_int_equal(quant_tally_chunks(tally, CHUNK), 4);
    quant_imatrix_close(more);
    quant_tally_free(tally);
}

/* Legacy values are means of chunks, and their experts have one count. */
static void merge_legacy(void **state)
{
    struct quant_tally *tally = small_tally(), *only;
    struct quant_imatrix *more = written(*state, tally, true);
    assert_int_equal(quant_tally_merge(tally, more, CHUNK, NULL), GGUF_OK);
    const struct quant_squares *up = quant_tally_at(tally, 0), *exps = quant_tally_at(tally, 1);
    assert_true(up->sums[3] == 8 && up->counts[0] == 32);
    assert_true(exps->sums[5] == 16 && exps->counts[2] == 16);
    assert_true(exps->sums[2] == 8 && exps->counts[1] == 8); /* means of 1 */

    assert_int_equal(quant_tally_new(&only, NULL), GGUF_OK);
    assert_int_equal(quant_tally_merge(only, more, CHUNK, NULL), GGUF_OK);
    assert_int_equal(quant_tally_at(only, 1)->experts, 1);
    const struct quant_squares *divided = entry_of(only, "blk.1.up_exps.weight", 2, 3);
    assert_true(divided->experts == 3 && divided->columns == 2 && divided->counts[2] == 8);
    quant_imatrix_close(more);
    quant_tally_free(only);
    quant_tally_free(tally);
}

static void merge_of_other_sizes(void **state)
{
    struct quant_tally *tally = small_tally(), *other;
    struct quant_imatrix *more = written(*state, tally, false);
    struct gguf_error err;
    static const uint64_t sizes[][2] = {{3, 1}, {5, 1}, {2, 2}};
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(quant_tally_new(&other, NULL), GGUF_OK);
        entry_of(other, i < 2 ? "blk.0.up.weight" : "blk.1.up_exps.weight", sizes[i][0],
                 sizes[i][1]);
        assert_int_equal(quant_tally_merge(other, more, CHUNK, &err), GGUF_ERR_DATA);
        assert_non_null(strstr(err.message, i < 2 ? "'blk.0.up.weight'" : "_exps"));
        quant_tally_free(other);
    }
    quant_imatrix_close(more);
    quant_tally_free(tally);
}

static void merge_past_the_range(void **state)
{
    struct quant_tally *tally = small_tally();
    struct gguf_error err;
    entry_of(tally, "blk.0.up.weight", 4, 1)->sums[2] = FLT_MAX;
    struct quant_imatrix *more = written(*state, tally, false);
    assert_int_equal(quant_tally_merge(tally, more, CHUNK, &err), GGUF_ERR_DATA);
    assert_non_null(strstr(err.message, "index 2"));
    quant_imatrix_close(more);
    quant_tally_free(tally);
}

static void many_entries_are_sorted(void **state)
{
    (void)state;
    struct quant_tally *tally;
    char name[32];
    assert_int_equal(quant_tally_new(&tally, NULL), GGUF_OK);
    for (int i = 0; i < 300; i++) {
        (void)snprintf(name, sizeof name, "t%d", i * 7 % 300);
        assert_non_null(entry_of(tally, name, 1, 1));
        assert_ptr_equal(entry_of(tally, name, 1, 1), entry_of(tally, name, 1, 1));
    }
    assert_int_equal(quant_tally_count(tally), 300);
    for (size_t i = 1; i < 300; i++)
        assert_true(strcmp(quant_tally_at(tally, i - 1)->name.data,
                           quant_tally_at(tally, i)->name.data) < 0);
    assert_null(quant_tally_at(tally, 300));
    quant_tally_free(tally);
    quant_tally_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_SCRATCH(gguf_form),
        IN_SCRATCH(gguf_tensors),
        IN_SCRATCH(legacy_form),
        IN_SCRATCH(in_memory_as_in_the_file),
        IN_SCRATCH(unwritable),
        IN_SCRATCH(merge_adds),
        IN_SCRATCH(merge_legacy),
        IN_SCRATCH(merge_of_other_sizes),
        IN_SCRATCH(merge_past_the_range),
        cmocka_unit_test(many_entries_are_sorted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
