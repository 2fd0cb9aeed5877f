/* The pipeline where it must not go on: what is refused, cancelled, or read back different. */
#include "tests/unit/pipeline_models.h"
#include "tests/unit/tiny_gguf.h"

#include <fcntl.h>
#include <math.h>

/* Runs one item that cannot be made: the status, with *err and nothing left in the folder. */
static enum gguf_status fails(struct scratch *s, const struct gguf *model,
                              struct quant_item item, struct gguf_error *err)
{
    struct quant_settings settings = {.threads = 2};
    int before = scratch_count(s);
    struct gguf_writer *w = begin(model, scratch_path(s, "out.gguf"), &item, 1);
    enum gguf_status status = quant_run(model, w, &item, 1, &settings, err);
    gguf_writer_free(w);
    assert_int_equal(scratch_count(s), before);
    return status;
}

static void assert_says(const struct gguf_error *err, const char *part)
{
    if (!strstr(err->message, part))
        fail_msg("\"%s\" does not say \"%s\"", err->message, part);
}

/* ---- What is refused -------------------------------------------------------------------- */

/* A source in memory: zeros but for the bits of one element, or block, of `width` bytes. */
static struct gguf *with_bits(uint32_t type, size_t index, uint32_t bits, size_t width)
{
    static struct tiny tiny;
    const uint64_t ne[3] = {32, 8, 1};
    unsigned char data[32 * 8 * 8] = {0};
    struct gguf *model;
    for (size_t i = 0; i < width && i < 4; i++)
        data[index * width + i] = (unsigned char)(bits >> 8 * i);
    memset(&tiny, 0, sizeof tiny);
    tiny_tensor(&tiny, "blk.0.ffn_up.weight", type, ne, data);
    tiny_finish(&tiny);
    must(gguf_open_memory(&model, tiny.file, tiny.file_size, 0, NULL), NULL);
    return model;
}

static void not_a_number_is_named(void **state)
{
    static const struct {
        uint32_t from, to, bits;
        size_t width, element;
    } rows[] = {
        {GGUF_F32, GGUF_Q8_0, 0x7fc00000, 4, 5}, {GGUF_F32, GGUF_F32, 0xff800000, 4, 5},
        {GGUF_F32, GGUF_BF16, 0xff800001, 4, 5}, {GGUF_F16, GGUF_Q4_0, 0x7c00, 2, 5},
        {GGUF_F16, GGUF_F16, 0xfe00, 2, 5},      {GGUF_BF16, GGUF_F32, 0x7f81, 2, 5},
        {GGUF_BF16, GGUF_BF16, 0xff80, 2, 5},    {GGUF_Q8_0, GGUF_Q8_0, 0x7c00, 34, 5 * 32},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct gguf_error err = {0};
        char expected[64];
        struct gguf *model = with_bits(rows[i].from, 5, rows[i].bits, rows[i].width);
        uint64_t place = gguf_tensor_at(model, 0)->offset + 5 * rows[i].width;
        assert_int_equal(fails(*state, model, item_of(0, rows[i].to), &err), GGUF_ERR_DATA);
        assert_says(&err, "blk.0.ffn_up.weight");
        snprintf(expected, sizeof expected, "element %zu is NaN or infinite", rows[i].element);
        assert_says(&err, expected);
        assert_int_equal(err.offset, place);
        gguf_close(model);
    }
}

/* The first of several is named, whichever thread meets it. */
static void the_first_is_named(void **state)
{
    static struct tiny tiny;
    const uint64_t ne[3] = {32, 8, 1};
    float values[256] = {[40] = NAN, [200] = NAN};
    struct gguf_error err = {0};
    struct gguf *model;
    memset(&tiny, 0, sizeof tiny);
    tiny_tensor(&tiny, "w", GGUF_F32, ne, values);
    tiny_finish(&tiny);
    must(gguf_open_memory(&model, tiny.file, tiny.file_size, 0, NULL), NULL);
    assert_int_equal(fails(*state, model, item_of(0, GGUF_Q8_0), &err), GGUF_ERR_DATA);
    assert_says(&err, "element 40 ");
    gguf_close(model);
}

/* Far from each other, so that other threads meet the later ones first; a copied tensor and
 * a converted one. */
static void the_first_of_many_tensors_is_named(void **state)
{
    struct scratch *s = *state;
    struct gguf_error err = {0};
    const struct quant_settings settings = {.threads = 4};
    gguf_close(open_many(s));
    const char *path = scratch_path(s, "in.gguf");
    struct gguf *model = open_model(path);
    static const uint32_t bad[] = {9, 7, 3}; /* later in the output, the smaller they are */
    for (size_t i = 0; i < 3; i++) {
        const struct gguf_tensor *t = gguf_tensor_at(model, bad[i]);
        const float nan = NAN;
        int fd = open(path, O_WRONLY);
        uint64_t element = t->elements - 1 - i;
        assert_int_equal(pwrite(fd, &nan, 4, (off_t)(t->offset + element * 4)), 4);
        close(fd);
    }
    struct quant_item items[MANY];
    for (size_t i = 0; i < MANY; i++)
        items[i] = item_of((uint32_t)(MANY - 1 - i), i % 2 ? GGUF_F32 : GGUF_Q8_0);
    for (int run = 0; run < 8; run++) {
        char expected[64];
        struct gguf_writer *w = begin(model, scratch_path(s, "out.gguf"), items, MANY);
        assert_int_equal(quant_run(model, w, items, MANY, &settings, &err), GGUF_ERR_DATA);
        gguf_writer_free(w);
        snprintf(expected, sizeof expected, "tensor tj: element %d is NaN",
                 (int)(rows_of_many(9) * 256 - 1));
        assert_says(&err, expected);
    }
    gguf_close(model);
}

static void other_processors_are_refused(void **state)
{
    struct gguf_error err = {0};
    struct gguf *model = with_bits(GGUF_F32, 0, 0, 2);
    struct quant_item item = item_of(0, GGUF_Q4_0);
    (void)state;
    for (int cpu = 0; cpu < 6; cpu++) {
        struct quant_settings settings = {.cpu = (enum quant_cpu)cpu};
        enum gguf_status status = quant_check(model, &item, 1, &settings, &err);
        assert_int_equal(status, quant_cpu_runs(settings.cpu) ? GGUF_OK : GGUF_ERR_UNSUPPORTED);
        if (status)
            assert_says(&err, "this machine cannot run the kernels");
    }
    gguf_close(model);
}

static void rows_too_long_to_convert(void **state)
{
    struct gguf_error err = {0};
    const struct quant_settings settings = {0};
    const uint64_t ne[3] = {(1 << 24) + 32, 1, 1};
    struct quant_item item = item_of(0, GGUF_Q8_0), same = item_of(0, GGUF_F16);
    struct scratch *s = *state;
    struct gguf_writer *w =
        new_writer(scratch_path(s, "in.gguf"), (struct gguf_writer_options){0});
    unsigned char *data = calloc((size_t)ne[0], 2);
    must(gguf_writer_add_tensor(w, STR("w"), GGUF_F16, 1, ne, GGUF_SHARD_AUTO, &err), &err);
    must(gguf_writer_begin(w, &err), &err);
    must(gguf_writer_write(w, 0, 0, data, (size_t)ne[0] * 2, &err), &err);
    must(gguf_writer_finish(w, &err), &err);
    gguf_writer_free(w);
    free(data);
    struct gguf *model = open_model(s->path);
    assert_int_equal(quant_check(model, &item, 1, &settings, &err), GGUF_ERR_UNSUPPORTED);
    assert_says(&err, "rows of 16777248 are too long to convert: 16777216 at most");
    assert_int_equal(quant_check(model, &same, 1, &settings, &err), GGUF_OK);
    gguf_close(model);
}

static void quantized_sources_need_leave(void **state)
{
    struct gguf_error err = {0};
    struct quant_settings settings = {.requantize = false};
    struct quant_item item = item_of(0, GGUF_Q4_0), same = item_of(0, GGUF_Q8_0);
    struct gguf *model = with_bits(GGUF_Q8_0, 0, 0, 2);
    assert_int_equal(quant_check(model, &item, 1, &settings, &err), GGUF_ERR_ARGUMENT);
    assert_says(&err, "blk.0.ffn_up.weight is quantized already");
    assert_says(&err, "Q8_0");
    assert_int_equal(quant_check(model, &same, 1, &settings, &err), GGUF_OK);
    settings.requantize = true;
    assert_int_equal(quant_check(model, &item, 1, &settings, &err), GGUF_OK);
    gguf_close(model);
    settings.requantize = false;
    model = with_bits(GGUF_F64, 0, 0, 8); /* doubles are an original too */
    assert_int_equal(quant_check(model, &item, 1, &settings, &err), GGUF_OK);
    gguf_close(model);
    (void)state;
}

static void what_cannot_be_made(void **state)
{
    struct gguf_error err = {0};
    struct quant_settings settings = {0};
    struct gguf *model = with_bits(GGUF_F32, 0, 0, 2);
    struct quant_item item = item_of(0, GGUF_IQ2_XXS);
    assert_int_equal(quant_check(model, &item, 1, &settings, &err), GGUF_ERR_UNSUPPORTED);
    assert_says(&err, "IQ2_XXS can be read but not made here");
    item = item_of(0, GGUF_Q4_K);
    assert_int_equal(quant_check(model, &item, 1, &settings, &err), GGUF_ERR_DATA);
    assert_says(&err, "rows of 32 do not divide into blocks of Q4_K");
    gguf_close(model);
    (void)state;
}

static void importance_of_another_model(void **state)
{
    static const float weights[64];
    struct gguf_error err = {0};
    struct quant_settings settings = {0};
    struct quant_importance importance = {.columns = 64, .experts = 1, .weights = weights};
    struct gguf *model = with_bits(GGUF_F32, 0, 0, 2);
    struct quant_item item = item_of(0, GGUF_Q4_0);
    item.importance = &importance;
    assert_int_equal(quant_check(model, &item, 1, &settings, &err), GGUF_ERR_DATA);
    assert_says(&err, "for another model");
    gguf_close(model);
    (void)state;
}

/* ---- Stopping and reading back ---------------------------------------------------------- */

struct calls {
    int left; /* before it says stop */
    uint64_t done;
};

static bool count_down(void *context, uint64_t done, struct gguf_str tensor)
{
    struct calls *calls = context;
    assert_true(gguf_str_equal(tensor, "w"));
    assert_true(done > calls->done);
    calls->done = done;
    return calls->left-- > 0;
}

static void it_stops_between_chunks(void **state)
{
    const uint64_t ne[3] = {1024, 2048, 1};
    struct scratch *s = *state;
    struct gguf_error err = {0};
    struct calls calls = {.left = 2};
    struct quant_settings settings = {.threads = 1, .progress = count_down, .context = &calls};
    make_source(scratch_path(s, "in.gguf"), GGUF_F16, ne, false);
    struct gguf *model = open_model(s->path);
    struct quant_item item = item_of(0, GGUF_Q4_0);
    struct gguf_writer *w = begin(model, scratch_path(s, "out.gguf"), &item, 1);
    assert_int_equal(quant_run(model, w, &item, 1, &settings, &err), GGUF_ERR_CANCELLED);
    assert_true(calls.done > 0 && calls.done < 4 * 1024 * 1024);
    gguf_writer_free(w);
    assert_int_equal(scratch_count(s), 1);

    calls = (struct calls){.left = 100};
    w = begin(model, scratch_path(s, "out.gguf"), &item, 1);
    must(quant_run(model, w, &item, 1, &settings, &err), &err);
    assert_int_equal(calls.done, 4 * 1024 * 1024);
    calls = (struct calls){.left = 0};
    assert_int_equal(quant_verify(model, w, &item, 1, &settings, &err), GGUF_ERR_CANCELLED);
    gguf_writer_free(w);
    assert_int_equal(scratch_count(s), 1);
    gguf_close(model);
}

/* Changes a byte of the file that is being made. */
static void damage(const char *path, uint64_t offset)
{
    unsigned char byte;
    int fd = open(path, O_RDWR);
    assert_true(fd >= 0);
    assert_int_equal(pread(fd, &byte, 1, (off_t)offset), 1);
    byte ^= 1;
    assert_int_equal(pwrite(fd, &byte, 1, (off_t)offset), 1);
    close(fd);
}

static void damage_is_found(void **state)
{
    const uint64_t ne[3] = {256, 4, 1};
    struct scratch *s = *state;
    struct gguf_error err = {0};
    struct quant_settings settings = {0};
    make_source(scratch_path(s, "in.gguf"), GGUF_F16, ne, false);
    struct gguf *model = open_model(s->path);
    struct quant_item item = item_of(0, GGUF_Q8_0);
    struct gguf_writer *w = begin(model, scratch_path(s, "out.gguf"), &item, 1);
    must(quant_run(model, w, &item, 1, &settings, &err), &err);
    const char *temp = gguf_writer_temp_path(w, 0);
    assert_null(gguf_writer_temp_path(w, 1));
    struct stat st;
    assert_int_equal(stat(temp, &st), 0);

    must(quant_verify(model, w, &item, 1, &settings, &err), &err);
    damage(temp, (uint64_t)st.st_size - 100); /* a weight */
    assert_int_equal(quant_verify(model, w, &item, 1, &settings, &err), GGUF_ERR_DATA);
    assert_says(&err, "tensor w reads back different");
    damage(temp, (uint64_t)st.st_size - 100);
    must(quant_verify(model, w, &item, 1, &settings, &err), &err);
    damage(temp, 0); /* the magic */
    assert_int_equal(quant_verify(model, w, &item, 1, &settings, &err), GGUF_ERR_NOT_GGUF);
    gguf_writer_free(w);
    gguf_close(model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_SCRATCH(not_a_number_is_named),
        IN_SCRATCH(the_first_is_named),
        IN_SCRATCH(the_first_of_many_tensors_is_named),
        cmocka_unit_test(other_processors_are_refused),
        IN_SCRATCH(rows_too_long_to_convert),
        cmocka_unit_test(quantized_sources_need_leave),
        cmocka_unit_test(what_cannot_be_made),
        cmocka_unit_test(importance_of_another_model),
        IN_SCRATCH(it_stops_between_chunks),
        IN_SCRATCH(damage_is_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
