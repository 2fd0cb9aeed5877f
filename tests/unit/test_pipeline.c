/* The pipeline: whole models from file to file. */
#include "quant/quant.h"
#include "tests/unit/tiny_gguf.h"
#include "tests/unit/write_models.h"

#include <fcntl.h>
#include <math.h>

/* ---- Sources ---------------------------------------------------------------------------- */

/* Values in a bell around 0, the same on every machine. */
static float next_value(uint32_t *state)
{
    int32_t sum = 0;
    for (int i = 0; i < 4; i++) {
        *state = *state * 1664525u + 1013904223u;
        sum += (int32_t)(*state >> 16) - 32768;
    }
    return (float)sum / 65536;
}

static float *make_values(size_t n)
{
    float *values = malloc(n * sizeof *values);
    uint32_t state = 1;
    for (size_t i = 0; i < n; i++)
        values[i] = next_value(&state);
    return values;
}

/* A model with one tensor "w", as a file that the scratch folder keeps. */
static void make_source(const char *path, uint32_t type, const uint64_t ne[3], bool big_endian)
{
    struct gguf_error err = {0};
    struct gguf_writer *w =
        new_writer(path, (struct gguf_writer_options){.big_endian = big_endian});
    size_t n = (size_t)(ne[0] * ne[1] * ne[2]);
    uint64_t bytes = 0;
    float *values = make_values(n);
    assert_true(gguf_type_bytes(type, n, &bytes));
    unsigned char *data = malloc((size_t)bytes);
    quant_format_find(type)->encode(values, data, n, NULL);
    must(gguf_writer_add_tensor(w, STR("w"), type, 3, ne, GGUF_SHARD_AUTO, &err), &err);
    must(gguf_writer_begin(w, &err), &err);
    must(gguf_writer_write(w, 0, 0, data, (size_t)bytes, &err), &err);
    must(gguf_writer_finish(w, &err), &err);
    gguf_writer_free(w);
    free(data);
    free(values);
}

/* ---- Runs ------------------------------------------------------------------------------- */

static struct quant_item item_of(uint32_t tensor, uint32_t type)
{
    return (struct quant_item){.choice = {.tensor = tensor, .type = type, .wanted = type}};
}

/* A writer for the items, begun. */
static struct gguf_writer *begin(const struct gguf *model, const char *path,
                                 const struct quant_item *items, size_t n)
{
    struct gguf_error err = {0};
    struct gguf_writer *w = new_writer(path, (struct gguf_writer_options){0});
    for (size_t i = 0; i < n; i++) {
        const struct gguf_tensor *t = gguf_tensor_at(model, items[i].choice.tensor);
        must(gguf_writer_add_tensor(w, t->name, items[i].choice.type, t->n_dims, t->ne,
                                    GGUF_SHARD_AUTO, &err),
             &err);
    }
    must(gguf_writer_begin(w, &err), &err);
    return w;
}

static void quantize(const struct gguf *model, const char *path, struct quant_item *item,
                     int threads)
{
    struct gguf_error err = {0};
    struct quant_settings settings = {.threads = threads, .cpu = quant_cpu_best()};
    struct gguf_writer *w = begin(model, path, item, 1);
    must(quant_run(model, w, item, 1, &settings, &err), &err);
    must(quant_verify(model, w, item, 1, &settings, &err), &err);
    must(gguf_writer_finish(w, &err), &err);
    gguf_writer_free(w);
}

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

/* ---- What is written -------------------------------------------------------------------- */

static void threads_do_not_matter(void **state)
{
    static const uint32_t types[] = {GGUF_Q4_K, GGUF_Q8_0, GGUF_BF16};
    const uint64_t ne[3] = {1024, 701, 1}; /* no whole number of chunks, for any team */
    struct scratch *s = *state;
    make_source(scratch_path(s, "in.gguf"), GGUF_F16, ne, false);
    struct gguf *model = open_model(s->path);
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        struct quant_item first = item_of(0, types[i]);
        quantize(model, scratch_path(s, "out.gguf"), &first, 1);
        for (int threads = 2; threads <= 5; threads++) {
            struct quant_item item = item_of(0, types[i]);
            quantize(model, scratch_path(s, "out.gguf"), &item, threads);
            assert_true(item.digest == first.digest);
            assert_true(item.error == first.error && item.energy == first.energy);
        }
    }
    gguf_close(model);
}

static void byte_order_does_not_matter(void **state)
{
    const uint64_t ne[3] = {256, 20, 1};
    struct scratch *s = *state;
    struct quant_item items[2] = {item_of(0, GGUF_Q6_K), item_of(0, GGUF_Q6_K)};
    for (int big = 0; big < 2; big++) {
        make_source(scratch_path(s, "in.gguf"), GGUF_F32, ne, big == 1);
        struct gguf *model = open_model(s->path);
        quantize(model, scratch_path(s, "out.gguf"), &items[big], 2);
        gguf_close(model);
    }
    assert_true(items[0].digest == items[1].digest);
    assert_true(items[0].error == items[1].error);
}

static void a_row_may_be_longer_than_a_chunk(void **state)
{
    const uint64_t ne[3] = {1 << 20, 2, 1};
    struct scratch *s = *state;
    make_source(scratch_path(s, "in.gguf"), GGUF_F16, ne, false);
    struct gguf *model = open_model(s->path);
    struct quant_item item = item_of(0, GGUF_Q8_0), again = item;
    quantize(model, scratch_path(s, "out.gguf"), &item, 1);
    quantize(model, scratch_path(s, "out.gguf"), &again, 3);
    assert_true(item.digest == again.digest);
    assert_true(quant_item_rmse(&item) > 0.001 && quant_item_rmse(&item) < 0.01);
    gguf_close(model);
}

/* The file holds what the encoder makes of each row with the weights of its expert, and
 * the errors are those of decoding it. */
static void each_expert_has_its_own_weights(void **state)
{
    enum { N = 64, ROWS = 3, EXPERTS = 2 };
    const uint64_t ne[3] = {N, ROWS, EXPERTS};
    struct scratch *s = *state;
    float weights[EXPERTS][N], y[N];
    unsigned char expected[ROWS * EXPERTS][36], found[ROWS * EXPERTS][36], other[36];
    const struct quant_format *format = quant_format_find(GGUF_Q4_0);
    double error = 0, energy = 0;
    float *x = make_values(N * ROWS * EXPERTS);
    for (size_t i = 0; i < N; i++) {
        weights[0][i] = i % 7 ? 0.01f : 100;
        weights[1][i] = i % 5 ? 50 : 0.02f;
    }
    for (size_t r = 0; r < ROWS * EXPERTS; r++) {
        format->encode(x + r * N, expected[r], N, weights[r / ROWS]);
        format->encode(x + r * N, other, N, weights[1 - r / ROWS]);
        assert_memory_not_equal(expected[r], other, sizeof other); /* it makes a difference */
        format->decode(expected[r], y, N);
        for (size_t i = 0; i < N; i++) {
            double v = (double)x[r * N + i], d = v - (double)y[i];
            error += d * d;
            energy += v * v;
        }
    }

    struct quant_importance importance = {.name = STR("w"),
                                          .columns = N,
                                          .experts = EXPERTS,
                                          .divided = true,
                                          .weights = weights[0]};
    struct quant_item item = item_of(0, GGUF_Q4_0);
    item.importance = &importance;
    make_source(scratch_path(s, "in.gguf"), GGUF_F32, ne, false);
    struct gguf *model = open_model(s->path);
    quantize(model, scratch_path(s, "out.gguf"), &item, 2);
    gguf_close(model);
    model = open_model(scratch_path(s, "out.gguf"));
    must(gguf_tensor_read(model, gguf_tensor_at(model, 0), 0, found, sizeof found, NULL), NULL);
    gguf_close(model);
    assert_memory_equal(found, expected, sizeof found);
    assert_true(fabs(item.error / error - 1) < 1e-12);
    assert_true(fabs(item.energy / energy - 1) < 1e-12);
    assert_true(fabs(quant_item_rmse(&item) - sqrt(error / energy)) < 1e-12);
    free(x);
}

/* Types that nobody quantizes pass as they are, whether they can be decoded or not. */
static void other_types_are_copied(void **state)
{
    static const uint32_t types[] = {GGUF_I32, GGUF_I8, GGUF_F64, GGUF_Q4_K, GGUF_F32};
    const uint64_t ne[3] = {256, 1, 1};
    struct scratch *s = *state;
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        uint64_t bytes = 0;
        unsigned char data[2048], found[2048];
        static struct tiny tiny;
        memset(&tiny, 0, sizeof tiny);
        memset(data, 3, sizeof data);
        tiny_tensor(&tiny, "w", types[i], ne, data);
        tiny_finish(&tiny);
        struct gguf *model;
        must(gguf_open_memory(&model, tiny.file, tiny.file_size, 0, NULL), NULL);
        struct quant_item item = item_of(0, types[i]);
        quantize(model, scratch_path(s, "out.gguf"), &item, 1);
        gguf_close(model);
        assert_true(item.error == 0 && item.energy == 0 && quant_item_rmse(&item) == 0);
        model = open_model(s->path);
        assert_true(gguf_type_bytes(types[i], 256, &bytes));
        must(gguf_tensor_read(model, gguf_tensor_at(model, 0), 0, found, (size_t)bytes, NULL),
             NULL);
        assert_memory_equal(found, data, (size_t)bytes);
        gguf_close(model);
    }
}

/* ---- What is refused -------------------------------------------------------------------- */

/* A source in memory: zeros but for the bits of one element, or block, of `width` bytes. */
static struct gguf *with_bits(uint32_t type, size_t index, uint32_t bits, size_t width)
{
    static struct tiny tiny;
    const uint64_t ne[3] = {32, 8, 1};
    unsigned char data[1024] = {0};
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
        IN_SCRATCH(threads_do_not_matter),
        IN_SCRATCH(byte_order_does_not_matter),
        IN_SCRATCH(a_row_may_be_longer_than_a_chunk),
        IN_SCRATCH(each_expert_has_its_own_weights),
        IN_SCRATCH(other_types_are_copied),
        IN_SCRATCH(not_a_number_is_named),
        IN_SCRATCH(the_first_is_named),
        cmocka_unit_test(quantized_sources_need_leave),
        cmocka_unit_test(what_cannot_be_made),
        cmocka_unit_test(importance_of_another_model),
        IN_SCRATCH(it_stops_between_chunks),
        IN_SCRATCH(damage_is_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
