/* What the writer writes: values, byte orders, alignment, layout, shards. */
#include "tests/unit/write_models.h"

#include <time.h>

/* Writes a model anew, in the byte order asked for. */
static void copy_model(const struct gguf *model, const char *path, bool big_endian)
{
    struct gguf_error err = {0};
    struct gguf_writer *w =
        new_writer(path, (struct gguf_writer_options){big_endian, 0, 0, 0, 0});
    must(gguf_writer_copy_metadata(w, model, &err), &err);
    for (size_t i = 0; i < gguf_tensor_count(model); i++) {
        const struct gguf_tensor *t = gguf_tensor_at(model, i);
        must(gguf_writer_add_tensor(w, t->name, t->type, t->n_dims, t->ne, GGUF_SHARD_AUTO,
                                    &err),
             &err);
    }
    must(gguf_writer_begin(w, &err), &err);
    for (size_t i = 0; i < gguf_tensor_count(model); i++) {
        const struct gguf_tensor *t = gguf_tensor_at(model, i);
        void *data = malloc((size_t)t->bytes + 1);
        must(gguf_tensor_read(model, t, 0, data, (size_t)t->bytes, &err), &err);
        must(gguf_writer_write(w, i, 0, data, (size_t)t->bytes, &err), &err);
        free(data);
    }
    must(gguf_writer_finish(w, &err), &err);
    gguf_writer_free(w);
}

static void assert_same_value(struct gguf_value a, struct gguf_value b)
{
    assert_int_equal(a.type, b.type);
    assert_int_equal(a.item, b.item);
    assert_int_equal(a.count, b.count);
    if (a.type == GGUF_VALUE_ARRAY) {
        struct gguf_iter ia = gguf_items(a), ib = gguf_items(b);
        struct gguf_value x, y;
        while (gguf_next(&ia, &x)) {
            assert_true(gguf_next(&ib, &y));
            assert_same_value(x, y);
        }
        return;
    }
    assert_int_equal(a.size, b.size);
    bool turned = a.big_endian != b.big_endian && a.type != GGUF_VALUE_STRING;
    for (uint64_t i = 0; i < a.size; i++)
        assert_int_equal(a.data[i], b.data[turned ? b.size - 1 - i : i]);
}

static void assert_same_model(const struct gguf *a, const struct gguf *b)
{
    assert_int_equal(gguf_kv_count(a), gguf_kv_count(b));
    for (size_t i = 0; i < gguf_kv_count(a); i++) {
        const struct gguf_kv *x = gguf_kv_at(a, i), *y = gguf_kv_at(b, i);
        assert_int_equal(x->key.size, y->key.size);
        assert_memory_equal(x->key.data, y->key.data, x->key.size);
        assert_same_value(x->value, y->value);
    }
    assert_int_equal(gguf_tensor_count(a), gguf_tensor_count(b));
    for (size_t i = 0; i < gguf_tensor_count(a); i++) {
        const struct gguf_tensor *x = gguf_tensor_at(a, i), *y = gguf_tensor_at(b, i);
        assert_int_equal(x->name.size, y->name.size);
        assert_memory_equal(x->name.data, y->name.data, x->name.size);
        assert_int_equal(x->type, y->type);
        assert_int_equal(x->n_dims, y->n_dims);
        assert_memory_equal(x->ne, y->ne, sizeof x->ne);
    }
}

static void assert_same_file(const char *a, const char *b)
{
    size_t na, nb;
    unsigned char *x = scratch_read(a, &na), *y = scratch_read(b, &nb);
    assert_non_null(x);
    assert_non_null(y);
    assert_int_equal(na, nb);
    assert_memory_equal(x, y, na);
    free(x);
    free(y);
}

/* A model goes through a little-endian file, a big-endian one and back: the same values
 * everywhere, and the same bytes in the end. */
static void assert_round_trip(struct scratch *s, const struct gguf *model)
{
    char little[128], big[128], again[128];
    snprintf(little, sizeof little, "%s/little.gguf", s->dir);
    snprintf(big, sizeof big, "%s/big.gguf", s->dir);
    snprintf(again, sizeof again, "%s/again.gguf", s->dir);
    copy_model(model, little, false);
    struct gguf *l = open_model(little);
    copy_model(l, big, true);
    struct gguf *b = open_model(big);
    assert_true(gguf_file_at(b, 0)->big_endian);
    copy_model(b, again, false);
    assert_same_model(model, l);
    assert_same_model(l, b);
    assert_same_file(little, again);
    gguf_close(l);
    gguf_close(b);
}

/* ---- Bytes ------------------------------------------------------------------------------ */

static void exact_bytes_of_a_file(void **state)
{
    struct scratch *s = *state;
    static const unsigned char expected[128] =
        "GGUF\3\0\0\0"
        "\1\0\0\0\0\0\0\0"                      /* tensors */
        "\1\0\0\0\0\0\0\0"                      /* keys */
        "\1\0\0\0\0\0\0\0k\6\0\0\0\0\0\200\277" /* "k", f32 -1 */
        "\1\0\0\0\0\0\0\0t\2\0\0\0"             /* "t", 2 dimensions */
        "\3\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0"      /* 3, 1 */
        "\30\0\0\0\0\0\0\0\0\0\0\0"             /* I8 at 0 */
        "\0\0\0\0\0\0\0\0\0\0\0\0\0\0"          /* padding to 96 */
        "\1\2\3";                               /* and 29 zeros */
    struct gguf_error err = {0};
    struct gguf_writer *w = new_writer(scratch_path(s, "x"), (struct gguf_writer_options){0});
    const uint64_t ne[] = {3, 1};
    must(gguf_writer_set_f32(w, "k", -1, &err), &err);
    must(gguf_writer_add_tensor(w, STR("t"), GGUF_I8, 2, ne, GGUF_SHARD_AUTO, &err), &err);
    must(gguf_writer_begin(w, &err), &err);
    must(gguf_writer_write(w, 0, 0, "\1\2\3", 3, &err), &err);
    must(gguf_writer_finish(w, &err), &err);
    gguf_writer_free(w);
    size_t size;
    unsigned char *data = scratch_read(scratch_path(s, "x"), &size);
    assert_int_equal(size, sizeof expected);
    assert_memory_equal(data, expected, size);
    free(data);
}

static void a_file_without_tensors_has_no_padding(void **state)
{
    struct scratch *s = *state;
    struct gguf_error err = {0};
    uint64_t total = 0;
    struct gguf_writer *w = new_writer(scratch_path(s, "x"), (struct gguf_writer_options){0});
    must(gguf_writer_set_u16(w, "key", 1, &err), &err);
    must(gguf_writer_total_bytes(w, &total, &err), &err);
    write_patterns(w, 0, NULL);
    struct gguf *model = open_model(scratch_path(s, "x"));
    assert_int_equal(gguf_file_at(model, 0)->file_bytes, 24 + 8 + 3 + 4 + 2);
    assert_int_equal(total, 24 + 8 + 3 + 4 + 2);
    gguf_close(model);
}

/* ---- Values ---------------------------------------------------------------------- */

static void set_all_scalars(struct gguf_writer *w)
{
    struct gguf_error err = {0};
    must(gguf_writer_set_u16(w, "u16", 0xfedc, &err), &err);
    must(gguf_writer_set_u32(w, "u32", 0xfedcba98, &err), &err);
    must(gguf_writer_set_i32(w, "i32", -2, &err), &err);
    must(gguf_writer_set_u64(w, "u64", UINT64_MAX - 7, &err), &err);
    must(gguf_writer_set_f32(w, "f32", -1.5f, &err), &err);
    must(gguf_writer_set_bool(w, "bool", true, &err), &err);
    must(gguf_writer_set_string(w, "string", STR("a\0\xff\n"), &err), &err);
    must(gguf_writer_set_string(w, "empty", STR(""), &err), &err);
    struct gguf_str strings[] = {STR("one"), STR(""), STR("t\0o")};
    must(gguf_writer_set_strings(w, "strings", strings, 3, &err), &err);
    must(gguf_writer_set_strings(w, "none", strings, 0, &err), &err);
}

static void set_raw(struct gguf_writer *w, const char *key, struct gguf_value value)
{
    struct gguf_error err = {0};
    must(gguf_writer_set(w, (struct gguf_str){key, strlen(key)}, value, &err), &err);
}

/* Every type, alone and as an array of three and of none. */
static void set_all_types(struct gguf_writer *w)
{
    static const unsigned char bytes[24] = {1,  0,  1,  128, 5,  6,  7,  8,  9,  250, 11, 12,
                                            13, 14, 15, 16,  17, 18, 19, 20, 21, 22,  23, 24};
    for (uint8_t t = 0; t <= GGUF_VALUE_F64; t++) {
        size_t width = gguf_value_type_size((enum gguf_value_type)t);
        char key[32];
        struct gguf_value v = {.type = t, .item = t, .count = 1, .data = bytes, .size = width};
        snprintf(key, sizeof key, "array.none.%d", t);
        set_raw(w, key,
                (struct gguf_value){.type = GGUF_VALUE_ARRAY, .item = t, .data = bytes});
        if (!width)
            continue;
        snprintf(key, sizeof key, "scalar.%d", t);
        set_raw(w, key, v);
        v.type = GGUF_VALUE_ARRAY;
        v.count = 3;
        v.size = 3 * width;
        snprintf(key, sizeof key, "array.%d", t);
        set_raw(w, key, v);
    }
}

/* [[["ab"], []]] with u16 arrays beside, and arrays of no arrays. */
static void set_nested(struct gguf_writer *w)
{
    static const unsigned char deep[] = {
        9, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0,                                   /* two arrays */
        8, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 'a', 'b', /* ["ab"] */
        2, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4,                       /* two u16 */
        9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,                                   /* no arrays */
    };
    struct gguf_value v = {.type = GGUF_VALUE_ARRAY,
                           .item = GGUF_VALUE_ARRAY,
                           .count = 2,
                           .data = deep,
                           .size = sizeof deep};
    set_raw(w, "nested", v);
}

static void values_survive(void **state)
{
    struct scratch *s = *state;
    struct gguf_writer *w = new_writer(scratch_path(s, "x"), (struct gguf_writer_options){0});
    const uint64_t bytes[] = {18 * 3, 5};
    set_all_scalars(w);
    set_all_types(w);
    set_nested(w);
    add(w, "q", GGUF_Q4_0, 96);
    add(w, "i", GGUF_I8, 5);
    write_patterns(w, 2, bytes);
    struct gguf *model = open_model(scratch_path(s, "x"));
    struct gguf_str text;
    uint64_t u = 0;
    assert_true(gguf_get_string(model, "string", &text));
    assert_int_equal(text.size, 4);
    assert_memory_equal(text.data, "a\0\xff\n", 4);
    assert_true(gguf_get_u64(model, "u64", &u));
    assert_true(u == UINT64_MAX - 7);
    assert_patterns(model);
    assert_round_trip(s, model);
    gguf_close(model);
}

static void big_endian_values_and_blocks(void **state)
{
    struct scratch *s = *state;
    struct gguf_writer *w =
        new_writer(scratch_path(s, "x"), (struct gguf_writer_options){true, 0, 0, 0, 0});
    uint64_t bytes[64];
    size_t n = 0;
    set_all_scalars(w);
    for (size_t i = 0; gguf_type_at(i); i++) {
        const struct gguf_type_info *info = gguf_type_at(i);
        if (info->origin != GGUF_TYPE_CURRENT)
            continue;
        add(w, info->name, info->id, info->block_elements * 3);
        bytes[n++] = info->block_bytes * 3;
    }
    write_patterns(w, n, bytes);
    struct gguf *model = open_model(scratch_path(s, "x"));
    double f = 0;
    int64_t i = 0;
    assert_true(gguf_file_at(model, 0)->big_endian);
    assert_true(gguf_get_f64(model, "f32", &f) && f == -1.5);
    assert_true(gguf_get_i64(model, "i32", &i) && i == -2);
    assert_int_equal(gguf_tensor_count(model), n);
    assert_patterns(model);
    /* the scale of the first Q4_0 block: two bytes, turned round; its quants are not */
    const struct gguf_tensor *q = gguf_tensor_find(model, "Q4_0");
    size_t size, index = 0;
    while (gguf_tensor_at(model, index) != q)
        index++;
    unsigned char *file = scratch_read(scratch_path(s, "x"), &size);
    assert_int_equal(file[q->offset], pattern(index, 1));
    assert_int_equal(file[q->offset + 1], pattern(index, 0));
    assert_int_equal(file[q->offset + 2], pattern(index, 2));
    free(file);
    gguf_close(model);
}

/* Version 1: all counts and lengths in 32 bits. */
static void version_1_is_converted(void **state)
{
    static const unsigned char v1[] =
        "GGUF\1\0\0\0\0\0\0\0\2\0\0\0"
        "\1\0\0\0a\10\0\0\0\2\0\0\0xy"                                         /* a: "xy" */
        "\1\0\0\0b\11\0\0\0\11\0\0\0\1\0\0\0\10\0\0\0\2\0\0\0\1\0\0\0p\0\0\0"; /* [["p",""]] */
    struct gguf *model = NULL;
    struct gguf_error err = {0};
    /* the literal's own NUL is the last byte of the second string's length */
    must(gguf_open_memory(&model, v1, sizeof v1, 0, &err), &err);
    assert_int_equal(gguf_file_at(model, 0)->version, 1);
    assert_round_trip(*state, model);
    gguf_close(model);
}

static void corpus_files_survive(void **state)
{
    static const char *const names[] = {
        "k_65535.gguf",          "v_arr_nested2.gguf",   "v_str_embedded_nul.gguf",
        "v_float_specials.gguf", "ok_empty_string.gguf", "ok_empty_arrays.gguf",
        "ok_all_types.gguf",     "ok_unknown_keys.gguf", "ok_utf8.gguf"};
    if (access("../shared/corpus/gguf", R_OK) != 0)
        skip();
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char path[128];
        snprintf(path, sizeof path, "../shared/corpus/gguf/%s", names[i]);
        struct gguf *model = open_model(path);
        assert_round_trip(*state, model);
        gguf_close(model);
    }
}

/* The fixture was written by another program in the form that engines demand. */
static void a_copy_is_identical(void **state)
{
    struct scratch *s = *state;
    struct gguf *model = open_model("fixtures/shakespeare-f16.gguf");
    copy_model(model, scratch_path(s, "copy.gguf"), false);
    assert_same_file("fixtures/shakespeare-f16.gguf", scratch_path(s, "copy.gguf"));
    gguf_close(model);
}

/* ---- Keys ------------------------------------------------------------------------ */

static void keys_keep_their_order(void **state)
{
    struct scratch *s = *state;
    static const char *const expected[] = {"a", "c", "d"};
    struct gguf_error err = {0};
    struct gguf_writer *w = new_writer(scratch_path(s, "x"), (struct gguf_writer_options){0});
    must(gguf_writer_set_u32(w, "a", 1, &err), &err);
    must(gguf_writer_set_u32(w, "b", 2, &err), &err);
    must(gguf_writer_set_u32(w, "c", 3, &err), &err);
    must(gguf_writer_set_u64(w, "a", 10, &err), &err);
    gguf_writer_remove(w, "b");
    gguf_writer_remove(w, "never there");
    must(gguf_writer_set_u32(w, "d", 4, &err), &err);
    write_patterns(w, 0, NULL);
    struct gguf *model = open_model(scratch_path(s, "x"));
    uint64_t a = 0;
    assert_int_equal(gguf_kv_count(model), 3);
    for (size_t i = 0; i < 3; i++)
        assert_true(gguf_str_equal(gguf_kv_at(model, i)->key, expected[i]));
    assert_true(gguf_get_u64(model, "a", &a));
    assert_int_equal(a, 10);
    gguf_close(model);
}

static void assert_refused(struct gguf_writer *w, struct gguf_str key, struct gguf_value value)
{
    struct gguf_error err = {0};
    assert_int_equal(gguf_writer_set(w, key, value, &err), GGUF_ERR_ARGUMENT);
    assert_true(err.message[0] != '\0');
}

static void bad_keys_and_values_are_refused(void **state)
{
    (void)state;
    struct gguf_error err = {0};
    struct gguf_writer *w = new_writer(NULL, (struct gguf_writer_options){0});
    static const unsigned char raw[64] = {9, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0,
                                          1, 0, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0, 1, 0, 0, 0,
                                          0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0};
    struct gguf_value one = {.count = 1, .data = raw, .size = 1};
    static char long_key[GGUF_MAX_KEY + 1];
    memset(long_key, 'k', sizeof long_key);
    assert_refused(w, STR(""), one);
    assert_refused(w, STR("a\0b"), one);
    assert_refused(w, (struct gguf_str){long_key, sizeof long_key}, one);
    assert_refused(w, STR("k"), (struct gguf_value){.type = 13, .item = 13, .count = 1});
    assert_refused(w, STR("k"), (struct gguf_value){.type = 9, .item = 77});
    assert_refused(w, STR("k"), (struct gguf_value){.count = 2, .data = raw, .size = 1});
    assert_refused(
        w, STR("k"),
        (struct gguf_value){.type = 9, .item = 8, .count = 1, .data = raw, .size = 3});
    struct gguf_value deep = {.type = 9, .item = 9, .count = 1, .data = raw, .size = 48};
    assert_refused(w, STR("k"), deep); /* five deep */
    deep.data += 12;
    deep.size -= 12;
    must(gguf_writer_set(w, STR("k"), deep, &err), &err); /* four */
    assert_int_equal(gguf_writer_set_u64(w, "general.alignment", 32, &err), GGUF_ERR_ARGUMENT);
    assert_int_equal(gguf_writer_set_u32(w, "general.alignment", 0, &err), GGUF_ERR_ARGUMENT);
    assert_int_equal(gguf_writer_set_u32(w, "general.alignment", 48, &err), GGUF_ERR_ARGUMENT);
    assert_int_equal(gguf_writer_set_u32(w, "general.alignment", 1u << 21, &err),
                     GGUF_ERR_ARGUMENT);
    gguf_writer_free(w);
}

static void bad_tensors_are_refused(void **state)
{
    (void)state;
    const struct {
        struct gguf_str name;
        uint32_t type, n_dims;
        uint64_t ne[4];
    } bad[] = {
        {STR(""), GGUF_F32, 1, {1}},
        {STR("same"), GGUF_F32, 1, {1}},
        {STR("0123456789012345678901234567890123456789012345678901234567890123"), 0, 1, {1}},
        {STR("a"), GGUF_F32, 0, {1}},
        {STR("a"), GGUF_F32, 5, {1, 1, 1, 1}},
        {STR("a"), 99, 1, {32}},
        {STR("a"), 137, 1, {256}}, /* IQ2_K of a fork: size not known */
        {STR("a"), GGUF_Q4_0, 2, {16, 2}},
        {STR("a"), GGUF_F32, 2, {UINT64_C(1) << 40, UINT64_C(1) << 40}},
        {STR("a"), GGUF_F32, 2, {0, UINT64_C(1) << 63}},
        {STR("a"), GGUF_F64, 1, {UINT64_C(1) << 61}},
    };
    struct gguf_writer *w = new_writer(NULL, (struct gguf_writer_options){0});
    add(w, "same", GGUF_F32, 4);
    add(w, "012345678901234567890123456789012345678901234567890123456789012", GGUF_F32, 1);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct gguf_error err = {0};
        assert_int_equal(gguf_writer_add_tensor(w, bad[i].name, bad[i].type, bad[i].n_dims,
                                                bad[i].ne, GGUF_SHARD_AUTO, &err),
                         GGUF_ERR_ARGUMENT);
        assert_true(err.message[0] != '\0');
    }
    gguf_writer_free(w);
}

/* ---- Layout ---------------------------------------------------------------------- */

/* Offsets as engines demand them: one tensor after the other, each padded, the last too. */
static void assert_layout(const char *path, uint64_t alignment)
{
    struct gguf *model = open_model(path);
    const struct gguf_file *f = gguf_file_at(model, 0);
    size_t size;
    unsigned char *data = scratch_read(path, &size);
    uint64_t at = (f->header_bytes + alignment - 1) / alignment * alignment;
    for (uint64_t i = f->header_bytes; i < at; i++)
        assert_int_equal(data[i], 0);
    for (size_t i = 0; i < gguf_tensor_count(model); i++) {
        const struct gguf_tensor *t = gguf_tensor_at(model, i);
        assert_int_equal(t->offset, at);
        uint64_t end = at + t->bytes;
        at += (t->bytes + alignment - 1) / alignment * alignment;
        for (uint64_t z = end; z < at; z++)
            assert_int_equal(data[z], 0);
    }
    assert_int_equal(size, at);
    assert_patterns(model);
    free(data);
    gguf_close(model);
}

static void any_alignment(void **state)
{
    struct scratch *s = *state;
    const uint64_t bytes[] = {3, 64, 1, 34};
    static const uint32_t alignments[] = {1, 2, 8, 32, 64, 4096, 1u << 20};
    for (size_t i = 0; i < sizeof alignments / sizeof alignments[0]; i++) {
        struct gguf_error err = {0};
        struct gguf_writer *w =
            new_writer(scratch_path(s, "x"), (struct gguf_writer_options){0});
        must(gguf_writer_set_u32(w, "general.alignment", alignments[i], &err), &err);
        add(w, "a", GGUF_I8, 3);
        add(w, "b", GGUF_F32, 16);
        add(w, "c", GGUF_I8, 1);
        add(w, "d", GGUF_Q8_0, 32);
        write_patterns(w, 4, bytes);
        assert_layout(scratch_path(s, "x"), alignments[i]);
    }
}

static void layout_beyond_4_gib(void **state)
{
    (void)state;
    struct gguf_error err = {0};
    uint64_t total = 0;
    struct gguf_writer *w = new_writer(NULL, (struct gguf_writer_options){0});
    add(w, "a", GGUF_F32, UINT64_C(3) << 30);
    add(w, "b", GGUF_Q4_K, UINT64_C(1) << 40);
    must(gguf_writer_total_bytes(w, &total, &err), &err);
    assert_int_equal(total, 96 + (UINT64_C(12) << 30) + ((UINT64_C(1) << 32) * 144));
    assert_int_equal(gguf_writer_begin(w, &err), GGUF_ERR_ARGUMENT);
    assert_int_equal(gguf_writer_write(w, 0, 0, "", 1, &err), GGUF_ERR_ARGUMENT);
    assert_int_equal(gguf_writer_set_u32(w, "late", 1, &err), GGUF_ERR_ARGUMENT);
    gguf_writer_free(w);
    w = new_writer(NULL, (struct gguf_writer_options){0});
    add(w, "a", GGUF_I8, INT64_MAX - 100);
    add(w, "b", GGUF_I8, 200);
    assert_int_equal(gguf_writer_total_bytes(w, &total, &err), GGUF_ERR_ARGUMENT);
    assert_int_equal(gguf_writer_total_bytes(w, &total, &err), GGUF_ERR_ARGUMENT);
    gguf_writer_free(w);
}

/* A quadratic search for duplicates would take minutes here. */
static void many_keys_and_tensors(void **state)
{
    (void)state;
    struct gguf_error err = {0};
    uint64_t total = 0;
    clock_t start = clock();
    struct gguf_writer *w = new_writer(NULL, (struct gguf_writer_options){0});
    for (unsigned i = 0; i < 200000; i++) {
        char name[32];
        snprintf(name, sizeof name, "name.%06u", i);
        assert_int_equal(gguf_writer_set_u32(w, name, i, &err), GGUF_OK);
        add(w, name, GGUF_I8, 1);
    }
    must(gguf_writer_total_bytes(w, &total, &err), &err);
    uint64_t header =
        24 + UINT64_C(200000) * (8 + 11 + 4 + 4) + UINT64_C(200000) * (8 + 11 + 24);
    assert_int_equal(total, (header + 31) / 32 * 32 + UINT64_C(200000) * 32);
    gguf_writer_free(w);
    assert_true(clock() - start < 10 * CLOCKS_PER_SEC);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_SCRATCH(exact_bytes_of_a_file),
        IN_SCRATCH(a_file_without_tensors_has_no_padding),
        IN_SCRATCH(values_survive),
        IN_SCRATCH(big_endian_values_and_blocks),
        IN_SCRATCH(version_1_is_converted),
        IN_SCRATCH(corpus_files_survive),
        IN_SCRATCH(a_copy_is_identical),
        IN_SCRATCH(keys_keep_their_order),
        cmocka_unit_test(bad_keys_and_values_are_refused),
        cmocka_unit_test(bad_tensors_are_refused),
        IN_SCRATCH(any_alignment),
        cmocka_unit_test(layout_beyond_4_gib),
        cmocka_unit_test(many_keys_and_tensors),
    };
    return cmocka_run_group_tests_name("write", tests, NULL, NULL);
}
