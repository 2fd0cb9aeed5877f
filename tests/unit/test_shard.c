/* Shard names, and sets of shards written by hand: complete, incomplete and mixed up. */
#include "tests/unit/raw_gguf.h"
#include "tests/unit/scratch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <sys/resource.h>
#include <cmocka.h>

/* ---- Names -------------------------------------------------------------------------- */

static void parse_names(void **state)
{
    (void)state;
    static const struct {
        const char *path;
        bool good;
        size_t prefix_size;
        uint32_t number, count;
    } cases[] = {
        {"name-00002-of-00009.gguf", true, 4, 2, 9},
        {"/a/b-00001-of-00001/c-00003-of-00004.gguf", true, 21, 3, 4},
        {"x-00001-of-00002-00001-of-00003.gguf", true, 16, 1, 3},
        {"m-99999-of-99999.gguf", true, 1, 99999, 99999},
        {"-00001-of-00002.gguf", false, 0, 0, 0}, /* no name */
        {"dir/-00001-of-00002.gguf", false, 0, 0, 0},
        {"name-00000-of-00002.gguf", false, 0, 0, 0}, /* numbers start at 1 */
        {"name-00003-of-00002.gguf", false, 0, 0, 0},
        {"name-0001-of-0002.gguf", false, 0, 0, 0}, /* five digits */
        {"name-000001-of-000002.gguf", false, 0, 0, 0},
        {"name-0000a-of-00002.gguf", false, 0, 0, 0},
        {"name-+0001-of-00002.gguf", false, 0, 0, 0},
        {"name_00001-of-00002.gguf", false, 0, 0, 0},
        {"name-00001-of-00002.GGUF", false, 0, 0, 0},
        {"name-00001-of-00002.gguf.part", false, 0, 0, 0},
        {"name.gguf", false, 0, 0, 0},
        {"", false, 0, 0, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        size_t prefix_size = 77;
        uint32_t number = 77, count = 77;
        bool good = gguf_shard_parse(cases[i].path, &prefix_size, &number, &count);
        if (good != cases[i].good)
            fail_msg("%s", cases[i].path);
        assert_int_equal(prefix_size, good ? cases[i].prefix_size : 77);
        assert_int_equal(number, good ? cases[i].number : 77);
        assert_int_equal(count, good ? cases[i].count : 77);
    }
}

static void write_names(void **state)
{
    (void)state;
    char out[32];
    const struct gguf_str prefix = {"d/m", 3};
    assert_true(gguf_shard_path(out, sizeof out, prefix, 2, 9));
    assert_string_equal(out, "d/m-00002-of-00009.gguf");
    assert_true(gguf_shard_path(out, 24, prefix, 99999, 99999)); /* 23 and the terminator */
    assert_string_equal(out, "d/m-99999-of-99999.gguf");
    assert_false(gguf_shard_path(out, 23, prefix, 1, 2));
    assert_false(gguf_shard_path(out, 0, prefix, 1, 2));
    assert_false(gguf_shard_path(out, sizeof out, prefix, 0, 2));
    assert_false(gguf_shard_path(out, sizeof out, prefix, 3, 2));
    assert_false(gguf_shard_path(out, sizeof out, prefix, 1, 100000));
}

/* ---- Sets --------------------------------------------------------------------------- */

/* What the metadata of one shard says; the first three are those of a good set. */
struct shard {
    uint64_t no, count, tensors;
    const char *tensor; /* the name of its only tensor */
    bool big_endian;
    uint32_t version;
};

/* Writes a shard whose tensor holds the floats 0x04030201 (in file order) and so on. */
static void save_shard(struct scratch *s, const char *name, const struct shard *shard)
{
    struct raw r = {.big_endian = shard->big_endian};
    raw_start(&r, shard->version ? shard->version : 3, 1, 4);
    raw_key(&r, "split.no", GGUF_VALUE_U16);
    raw_uint(&r, shard->no, 2);
    raw_key(&r, "split.count", GGUF_VALUE_U16);
    raw_uint(&r, shard->count, 2);
    raw_key(&r, "split.tensors.count", GGUF_VALUE_I32);
    raw_uint(&r, shard->tensors, 4);
    raw_u32(&r, "own", (uint32_t)shard->no);
    raw_tensor(&r, shard->tensor, GGUF_F32, 8, 0);
    raw_data(&r, 32, 32);
    assert_true(raw_save(scratch_path(s, name), r.data, r.size));
    raw_free(&r);
}

static const char *shard_name(unsigned number, unsigned count)
{
    static char name[64];
    snprintf(name, sizeof name, "m-%05u-of-%05u.gguf", number, count);
    return name;
}

/* A good set of `count` shards with the tensors t1, t2, ... */
static void save_set(struct scratch *s, unsigned count)
{
    for (unsigned i = 1; i <= count; i++) {
        char tensor[16];
        snprintf(tensor, sizeof tensor, "t%u", i);
        const struct shard shard = {.no = i - 1,
                                    .count = count,
                                    .tensors = count,
                                    .tensor = tensor,
                                    .big_endian = i % 3 == 0,
                                    .version = 1 + i % 3};
        save_shard(s, shard_name(i, count), &shard);
    }
}

/* The status of opening a file, with the words expected in its message. */
static void expect(struct scratch *s, const char *name, enum gguf_status status,
                   const char *word)
{
    struct gguf *model;
    struct gguf_error err = {0};
    enum gguf_status found = gguf_open(&model, scratch_path(s, name), 0, &err);
    if (found != status || !strstr(err.message, word))
        fail_msg("%s: \"%s\" expected in: %s", name, word, err.message);
    assert_int_equal(model != NULL, status == GGUF_OK);
    gguf_close(model);
}

/* Reads every tensor and compares it, in place too where it is mapped. */
static void check_set(const struct gguf *model, unsigned count)
{
    unsigned char bytes[32], expected[32];
    uint64_t own = 7;
    assert_int_equal(gguf_file_count(model), count);
    assert_int_equal(gguf_tensor_count(model), count);
    assert_true(gguf_get_u64(model, "own", &own) && own == 0);
    for (unsigned i = 0; i < count; i++) {
        const struct gguf_file *file = gguf_file_at(model, i);
        const struct gguf_tensor *t = gguf_tensor_at(model, i);
        char name[16];
        snprintf(name, sizeof name, "t%u", i + 1);
        assert_ptr_equal(gguf_tensor_find(model, name), t);
        assert_non_null(strstr(file->path, shard_name(i + 1, count)));
        assert_true(t->file == i && file->first_tensor == i && file->tensor_count == 1);
        for (unsigned k = 0; k < 32; k++)
            expected[k] = (unsigned char)(k + 1);
        if (gguf_tensor_map(model, t))
            assert_memory_equal(gguf_tensor_map(model, t), expected, 32);
        if (file->big_endian)
            gguf_type_swap(GGUF_F32, expected, 32);
        assert_int_equal(gguf_tensor_read(model, t, 0, bytes, 32, NULL), GGUF_OK);
        assert_memory_equal(bytes, expected, 32);
    }
}

/* One model whichever shard is named; byte orders and versions may differ. */
static void complete(void **state)
{
    struct scratch *s = *state;
    struct gguf *model;
    struct gguf_error err;
    save_set(s, 5);
    for (unsigned i = 1; i <= 5; i++) {
        assert_int_equal(gguf_open(&model, scratch_path(s, shard_name(i, 5)), 0, &err),
                         GGUF_OK);
        check_set(model, 5);
        assert_null(gguf_tensor_map(model, gguf_tensor_at(model, 0)));
        gguf_close(model);
    }
    assert_int_equal(gguf_open(&model, scratch_path(s, shard_name(2, 5)), GGUF_OPEN_MAP, &err),
                     GGUF_OK);
    check_set(model, 5);
    assert_non_null(gguf_tensor_map(model, gguf_tensor_at(model, 4)));
    gguf_close(model);
}

static void one_alone(void **state)
{
    struct scratch *s = *state;
    struct gguf *model;
    struct gguf_error err;
    save_set(s, 3);
    remove(scratch_path(s, shard_name(1, 3)));
    const char *path = scratch_path(s, shard_name(2, 3));
    assert_int_equal(gguf_open(&model, path, GGUF_OPEN_SINGLE, &err), GGUF_OK);
    assert_int_equal(gguf_file_count(model), 1);
    assert_int_equal(gguf_tensor_count(model), 1);
    assert_non_null(gguf_tensor_find(model, "t2"));
    gguf_close(model);
}

static void missing(void **state)
{
    struct scratch *s = *state;
    struct gguf *model;
    struct gguf_error err;
    save_set(s, 8);
    remove(scratch_path(s, shard_name(1, 8)));
    expect(s, shard_name(3, 8), GGUF_ERR_SHARDS, "m-00001-of-00008.gguf");
    remove(scratch_path(s, shard_name(4, 8)));
    expect(s, shard_name(3, 8), GGUF_ERR_SHARDS, "m-00004-of-00008.gguf");
    for (unsigned i = 5; i <= 8; i++)
        remove(scratch_path(s, shard_name(i, 8)));
    expect(s, shard_name(3, 8), GGUF_ERR_SHARDS, "6 of the model's 8 shards");
    const char *path = scratch_path(s, shard_name(3, 8));
    assert_int_equal(gguf_open(&model, path, GGUF_OPEN_INSPECT, &err), GGUF_OK);
    assert_int_equal(gguf_file_count(model), 2);
    assert_int_equal(gguf_problem_count(model), 1);
    assert_int_equal(gguf_problem_at(model, 0)->status, GGUF_ERR_SHARDS);
    assert_non_null(gguf_tensor_find(model, "t2"));
    assert_null(gguf_tensor_find(model, "t1"));
    gguf_close(model);
}

/* A shard under another name: its siblings cannot be found. */
static void renamed(void **state)
{
    struct scratch *s = *state;
    struct gguf *model;
    struct gguf_error err;
    const struct shard shard = {.no = 0, .count = 2, .tensors = 2, .tensor = "a"};
    const struct shard largest = {.no = 0, .count = 65535, .tensors = 2, .tensor = "a"};
    save_shard(s, "model.gguf", &shard);
    save_shard(s, "m-00001-of-00003.gguf", &shard);
    save_shard(s, "m-00001-of-65535.gguf", &largest);
    expect(s, "model.gguf", GGUF_ERR_SHARDS, "-00001-of-00002.gguf");
    expect(s, "m-00001-of-00003.gguf", GGUF_ERR_SHARDS, "-00001-of-00002.gguf");
    expect(s, "m-00001-of-65535.gguf", GGUF_ERR_SHARDS, "at most 65534");
    const char *path = scratch_path(s, "model.gguf");
    assert_int_equal(gguf_open(&model, path, GGUF_OPEN_INSPECT, &err), GGUF_OK);
    assert_int_equal(gguf_file_count(model), 1);
    assert_int_equal(gguf_problem_count(model), 1);
    gguf_close(model);
}

/* Changes one shard of a set of three, expects an error, and puts it back. */
static void spoil(struct scratch *s, unsigned number, struct shard shard,
                  enum gguf_status status, const char *word)
{
    save_set(s, 3);
    save_shard(s, shard_name(number, 3), &shard);
    for (unsigned i = 1; i <= 3; i++)
        expect(s, shard_name(i, 3), status, word);
}

static void mixed_up(void **state)
{
    struct scratch *s = *state;
    const struct shard good = {.no = 1, .count = 3, .tensors = 3, .tensor = "t2"};
    struct shard wrong = good;
    save_set(s, 3);
    save_shard(s, shard_name(2, 3), &good);
    expect(s, shard_name(1, 3), GGUF_OK, "");
    wrong.no = 2; /* the third shard under the second's name */
    spoil(s, 2, wrong, GGUF_ERR_SHARDS, "split.no 1");
    wrong = good;
    wrong.tensors = 4; /* of a longer model */
    spoil(s, 2, wrong, GGUF_ERR_SHARDS, "announces 4 tensors, the shards hold 3");
    wrong = good;
    wrong.tensor = "t3"; /* in two shards */
    spoil(s, 2, wrong, GGUF_ERR_CORRUPT, "two tensors have the name t3");
}

static void sibling_of_another_set(void **state)
{
    struct scratch *s = *state;
    const struct shard other = {.no = 1, .count = 4, .tensors = 3, .tensor = "t2"};
    save_set(s, 3);
    save_shard(s, shard_name(2, 3), &other);
    expect(s, shard_name(1, 3), GGUF_ERR_SHARDS, "split.count 3");
    expect(s, shard_name(3, 3), GGUF_ERR_SHARDS, "split.count 3");
}

static void damaged_sibling(void **state)
{
    struct scratch *s = *state;
    save_set(s, 3);
    scratch_write(scratch_path(s, shard_name(2, 3)), "<html>Not found</html>");
    expect(s, shard_name(1, 3), GGUF_ERR_NOT_GGUF, "m-00002-of-00003.gguf");
    assert_int_equal(remove(scratch_path(s, shard_name(2, 3))), 0);
    assert_int_equal(mkfifo(s->path, 0600), 0);
    alarm(10); /* a hang ends the test */
    expect(s, shard_name(3, 3), GGUF_ERR_NOT_GGUF, "regular");
    alarm(0);
    remove(scratch_path(s, shard_name(2, 3)));
    save_set(s, 3);
    struct stat st;
    assert_int_equal(stat(scratch_path(s, shard_name(3, 3)), &st), 0);
    assert_int_equal(truncate(s->path, st.st_size - 1), 0);
    expect(s, shard_name(1, 3), GGUF_ERR_TRUNCATED, "m-00003-of-00003.gguf");
}

/* A set of more files than a process may have open is read all the same, and a file that
 * was exchanged meanwhile is noticed. */
static void more_than_descriptors(void **state)
{
    struct scratch *s = *state;
    struct gguf *model;
    struct gguf_error err;
    struct rlimit old, few;
    unsigned char bytes[32];
    save_set(s, 100);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
    few = (struct rlimit){.rlim_cur = 40, .rlim_max = old.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
    for (unsigned flags = 0; flags <= GGUF_OPEN_MAP; flags += GGUF_OPEN_MAP) {
        const char *path = scratch_path(s, shard_name(50, 100));
        assert_int_equal(gguf_open(&model, path, flags, &err), GGUF_OK);
        check_set(model, 100);
        const char *exchanged = scratch_path(s, shard_name(9, 100));
        char kept[600];
        snprintf(kept, sizeof kept, "%s.kept", exchanged);
        assert_int_equal(rename(exchanged, kept), 0);
        const struct shard other = {.no = 8, .count = 100, .tensors = 100, .tensor = "t9"};
        save_shard(s, shard_name(9, 100), &other);
        const struct gguf_tensor *t = gguf_tensor_at(model, 8);
        assert_int_equal(gguf_tensor_read(model, t, 0, bytes, 32, &err), GGUF_ERR_IO);
        assert_non_null(strstr(err.message, "another file"));
        gguf_close(model);
    }
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parse_names), cmocka_unit_test(write_names),
        IN_SCRATCH(complete),          IN_SCRATCH(one_alone),
        IN_SCRATCH(missing),           IN_SCRATCH(renamed),
        IN_SCRATCH(mixed_up),          IN_SCRATCH(sibling_of_another_set),
        IN_SCRATCH(damaged_sibling),   IN_SCRATCH(more_than_descriptors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
