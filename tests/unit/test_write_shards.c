/* Sets of shards: what goes where, and that the reader takes them for one model. */
#include "tests/unit/write_models.h"

#include <sys/resource.h>

/* `n` tensors t0, t1... of 40 bytes, padded to 64, after two keys. */
static struct gguf_writer *declare(const char *path, struct gguf_writer_options options,
                                   size_t n)
{
    struct gguf_error err = {0};
    struct gguf_writer *w = new_writer(path, options);
    must(gguf_writer_set_u32(w, "first", 1, &err), &err);
    must(gguf_writer_set_u32(w, "second", 2, &err), &err);
    for (size_t i = 0; i < n; i++) {
        char name[32];
        snprintf(name, sizeof name, "t%zu", i);
        add(w, name, GGUF_F32, 10);
    }
    return w;
}

static void write_all(struct gguf_writer *w, size_t n)
{
    uint64_t *bytes = malloc(n * sizeof *bytes);
    for (size_t i = 0; i < n; i++)
        bytes[i] = 40;
    write_patterns(w, n, bytes);
    free(bytes);
}

/* Opens the set by its last file and compares the tensors of each file. */
static struct gguf *open_set(struct scratch *s, const size_t *tensors, size_t n)
{
    char name[64];
    snprintf(name, sizeof name, "m-%05zu-of-%05zu.gguf", n, n);
    struct gguf *model = open_model(scratch_path(s, name));
    assert_int_equal(gguf_file_count(model), n);
    for (size_t i = 0; i < n; i++) {
        const struct gguf_file *f = gguf_file_at(model, i);
        snprintf(name, sizeof name, "m-%05zu-of-%05zu.gguf", i + 1, n);
        assert_string_equal(f->path, scratch_path(s, name));
        assert_int_equal(f->tensor_count, tensors[i]);
        assert_int_equal(f->file_bytes,
                         tensors[i] ? f->data_offset + 64 * tensors[i] : f->header_bytes);
    }
    assert_patterns(model);
    assert_int_equal(scratch_count(s), (int)n);
    return model;
}

static void by_tensors(void **state)
{
    struct scratch *s = *state;
    struct gguf_writer_options options = {.shard_tensors = 2};
    write_all(declare(scratch_path(s, "m.gguf"), options, 5), 5);
    gguf_close(open_set(s, (const size_t[]){2, 2, 1}, 3));
}

/* 150 bytes hold two padded tensors of 64; one tensor alone may be larger than a shard. */
static void by_bytes(void **state)
{
    struct scratch *s = *state;
    struct gguf_writer_options options = {.shard_bytes = 150};
    write_all(declare(scratch_path(s, "m"), options, 5), 5);
    gguf_close(open_set(s, (const size_t[]){2, 2, 1}, 3));
    for (int i = 1; i <= 3; i++) {
        char name[64];
        snprintf(name, sizeof name, "m-%05d-of-00003.gguf", i);
        remove(scratch_path(s, name));
    }
    options.shard_bytes = 1;
    write_all(declare(scratch_path(s, "m"), options, 3), 3);
    gguf_close(open_set(s, (const size_t[]){1, 1, 1}, 3));
}

static void exactly_full_is_one_file(void **state)
{
    struct scratch *s = *state;
    struct gguf_writer_options options = {.shard_bytes = 320, .shard_tensors = 5};
    write_all(declare(scratch_path(s, "m.gguf"), options, 5), 5);
    struct gguf *model = open_model(scratch_path(s, "m.gguf"));
    assert_int_equal(scratch_count(s), 1);
    assert_null(gguf_kv_find(model, "split.count"));
    gguf_close(model);
}

static void metadata_alone_in_the_first(void **state)
{
    struct scratch *s = *state;
    struct gguf_writer_options options = {.shard_tensors = 3, .empty_first_shard = true};
    write_all(declare(scratch_path(s, "m"), options, 5), 5);
    gguf_close(open_set(s, (const size_t[]){0, 3, 2}, 3));
}

static void as_declared(void **state)
{
    struct scratch *s = *state;
    static const uint32_t shards[] = {0, 2, 2, 3};
    const uint64_t ne = 10;
    struct gguf_error err = {0};
    struct gguf_writer *w = new_writer(scratch_path(s, "m"), (struct gguf_writer_options){0});
    for (size_t i = 0; i < 4; i++) {
        char name[32];
        snprintf(name, sizeof name, "t%zu", i);
        must(gguf_writer_add_tensor(w, (struct gguf_str){name, 2}, GGUF_F32, 1, &ne, shards[i],
                                    &err),
             &err);
    }
    write_all(w, 4);
    gguf_close(open_set(s, (const size_t[]){1, 0, 2, 1}, 4));

    w = new_writer(scratch_path(s, "m"), (struct gguf_writer_options){0});
    must(gguf_writer_add_tensor(w, STR("a"), GGUF_F32, 1, &ne, 1, &err), &err);
    must(gguf_writer_add_tensor(w, STR("b"), GGUF_F32, 1, &ne, 0, &err), &err);
    assert_int_equal(gguf_writer_begin(w, &err), GGUF_ERR_ARGUMENT);
    gguf_writer_free(w);
    w = new_writer(scratch_path(s, "m"), (struct gguf_writer_options){0});
    must(gguf_writer_add_tensor(w, STR("a"), GGUF_F32, 1, &ne, GGUF_MAX_SHARDS, &err), &err);
    assert_int_equal(gguf_writer_begin(w, &err), GGUF_ERR_ARGUMENT);
    gguf_writer_free(w);
    assert_int_equal(scratch_count(s), 4);
}

/* The keys of one file of the set alone, in order. */
static void assert_keys(const char *path, const char *const *keys)
{
    struct gguf *model = NULL;
    struct gguf_error err = {0};
    size_t n = 0;
    must(gguf_open(&model, path, GGUF_OPEN_SINGLE, &err), &err);
    for (; keys[n]; n++) {
        assert_true(n < gguf_kv_count(model));
        assert_true(gguf_str_equal(gguf_kv_at(model, n)->key, keys[n]));
    }
    assert_int_equal(gguf_kv_count(model), n);
    gguf_close(model);
}

static void keys_of_a_set(void **state)
{
    struct scratch *s = *state;
    static const char *const first[] = {"first",    "second",      "general.alignment",
                                        "split.no", "split.count", "split.tensors.count",
                                        NULL};
    static const char *const other[] = {"general.alignment", "split.no", "split.count",
                                        "split.tensors.count", NULL};
    struct gguf_error err = {0};
    struct gguf_writer_options options = {.shard_tensors = 2};
    struct gguf_writer *w = declare(scratch_path(s, "m"), options, 4);
    must(gguf_writer_set_u16(w, "split.no", 7, &err), &err); /* the writer knows better */
    must(gguf_writer_set_u32(w, "general.alignment", 64, &err), &err);
    write_all(w, 4);
    assert_keys(scratch_path(s, "m-00001-of-00002.gguf"), first);
    assert_keys(scratch_path(s, "m-00002-of-00002.gguf"), other);
    struct gguf *model = open_set(s, (const size_t[]){2, 2}, 2);
    const struct gguf_kv *no = gguf_kv_find(model, "split.no");
    const struct gguf_kv *count = gguf_kv_find(model, "split.count");
    const struct gguf_kv *tensors = gguf_kv_find(model, "split.tensors.count");
    uint64_t value = 9;
    assert_int_equal(no->value.type, GGUF_VALUE_U16);
    assert_true(gguf_value_u64(no->value, &value) && value == 0);
    assert_int_equal(count->value.type, GGUF_VALUE_U16);
    assert_true(gguf_value_u64(count->value, &value) && value == 2);
    assert_int_equal(tensors->value.type, GGUF_VALUE_I32);
    assert_true(gguf_value_u64(tensors->value, &value) && value == 4);
    assert_int_equal(gguf_file_at(model, 1)->alignment, 64);

    /* a copy of the whole is no set any more */
    w = new_writer(scratch_path(s, "one"), (struct gguf_writer_options){0});
    must(gguf_writer_copy_metadata(w, model, &err), &err);
    write_patterns(w, 0, NULL);
    static const char *const merged[] = {"first", "second", "general.alignment", NULL};
    assert_keys(scratch_path(s, "one"), merged);
    gguf_close(model);
}

static void sizes_and_paths_are_known_before(void **state)
{
    struct scratch *s = *state;
    struct gguf_error err = {0};
    struct gguf_writer_options options = {.shard_tensors = 1};
    struct gguf_writer *w = declare(scratch_path(s, "m"), options, 3);
    uint64_t total = 0, found = 0;
    assert_int_equal(gguf_writer_file_count(w), 0);
    must(gguf_writer_total_bytes(w, &total, &err), &err);
    assert_int_equal(gguf_writer_file_count(w), 3);
    assert_string_equal(gguf_writer_file_path(w, 2), scratch_path(s, "m-00003-of-00003.gguf"));
    assert_null(gguf_writer_file_path(w, 3));
    write_all(w, 3);
    struct gguf *model = open_set(s, (const size_t[]){1, 1, 1}, 3);
    for (size_t i = 0; i < 3; i++)
        found += gguf_file_at(model, i)->file_bytes;
    assert_int_equal(found, total);
    gguf_close(model);
}

/* More files than descriptors. */
static void more_shards_than_descriptors(void **state)
{
    struct scratch *s = *state;
    struct rlimit old, few = {40, 40};
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
    few.rlim_max = old.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
    struct gguf_writer_options options = {.shard_tensors = 1};
    write_all(declare(scratch_path(s, "m"), options, 100), 100);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
    size_t ones[100];
    for (size_t i = 0; i < 100; i++)
        ones[i] = 1;
    gguf_close(open_set(s, ones, 100));
}

/* Every file of the set is looked at before one is created. */
static void one_existing_file_keeps_all(void **state)
{
    struct scratch *s = *state;
    struct gguf_error err = {0};
    struct gguf_writer_options options = {.shard_tensors = 1};
    struct gguf_writer *w = NULL;
    const uint64_t ne = 10;
    scratch_write(scratch_path(s, "m-00002-of-00002.gguf"), "old");
    must(gguf_writer_new(&w, scratch_path(s, "m"), &options, &err), &err);
    must(gguf_writer_add_tensor(w, STR("a"), GGUF_F32, 1, &ne, GGUF_SHARD_AUTO, &err), &err);
    must(gguf_writer_add_tensor(w, STR("b"), GGUF_F32, 1, &ne, GGUF_SHARD_AUTO, &err), &err);
    assert_int_equal(gguf_writer_begin(w, &err), GGUF_ERR_EXISTS);
    gguf_writer_free(w);
    assert_int_equal(scratch_count(s), 1);
    assert_true(scratch_holds(scratch_path(s, "m-00002-of-00002.gguf"), "old"));
}

/* The third file cannot get its name: the first is gone again, the second what it was. */
static void a_set_is_complete_or_as_it_was(void **state)
{
    struct scratch *s = *state;
    struct gguf_error err = {0};
    struct gguf_writer_options options = {.shard_tensors = 1};
    unsigned char data[40] = {0};
    scratch_write(scratch_path(s, "m-00002-of-00003.gguf"), "old");
    struct gguf_writer *w = declare(scratch_path(s, "m"), options, 3);
    must(gguf_writer_begin(w, &err), &err);
    for (size_t i = 0; i < 3; i++)
        must(gguf_writer_write(w, i, 0, data, sizeof data, &err), &err);
    assert_int_equal(mkdir(scratch_path(s, "m-00003-of-00003.gguf"), 0777), 0);
    assert_int_equal(gguf_writer_finish(w, &err), GGUF_ERR_IO);
    assert_int_equal(scratch_count(s), 2);
    assert_true(scratch_holds(scratch_path(s, "m-00002-of-00003.gguf"), "old"));
    gguf_writer_free(w);
    assert_int_equal(scratch_count(s), 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_SCRATCH(by_tensors),
        IN_SCRATCH(by_bytes),
        IN_SCRATCH(exactly_full_is_one_file),
        IN_SCRATCH(metadata_alone_in_the_first),
        IN_SCRATCH(as_declared),
        IN_SCRATCH(keys_of_a_set),
        IN_SCRATCH(sizes_and_paths_are_known_before),
        IN_SCRATCH(more_shards_than_descriptors),
        IN_SCRATCH(one_existing_file_keeps_all),
        IN_SCRATCH(a_set_is_complete_or_as_it_was),
    };
    return cmocka_run_group_tests_name("write: shards", tests, NULL, NULL);
}
