/* The pipeline: whole models from file to file. */
#include "tests/unit/pipeline_models.h"
#include "tests/unit/tiny_gguf.h"

#include <math.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <xxhash.h>

/* ---- Runs ------------------------------------------------------------------------------- */

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

/* In the order of the model, backwards, so that the two orders differ. */
static void run_many(struct scratch *s, const struct gguf *model,
                     const struct quant_settings *settings, struct quant_item *items)
{
    static const uint32_t types[] = {GGUF_Q8_0, GGUF_F32, GGUF_F16};
    struct gguf_error err = {0};
    for (size_t i = 0; i < MANY; i++)
        items[i] = item_of((uint32_t)(MANY - 1 - i), types[i % 3]);
    struct gguf_writer *w = begin(model, scratch_path(s, "out.gguf"), items, MANY);
    must(quant_run(model, w, items, MANY, settings, &err), &err);
    must(quant_verify(model, w, items, MANY, settings, &err), &err);
    must(gguf_writer_finish(w, &err), &err);
    gguf_writer_free(w);
}

/* The stored bytes of every tensor are those that the encoder makes, row after row. */
static void assert_encoded(const struct gguf *model, struct scratch *s,
                           const struct quant_item *items)
{
    struct gguf *output = open_model(scratch_path(s, "out.gguf"));
    for (size_t i = 0; i < MANY; i++) {
        const struct gguf_tensor *from = gguf_tensor_at(model, items[i].choice.tensor);
        const struct gguf_tensor *to = gguf_tensor_at(output, i);
        const struct quant_format *format = quant_format_at(to->type, QUANT_CPU_SCALAR);
        float *x = malloc((size_t)from->bytes);
        unsigned char *expected = malloc((size_t)to->bytes), *found = malloc((size_t)to->bytes);
        must(gguf_tensor_read(model, from, 0, x, (size_t)from->bytes, NULL), NULL);
        must(gguf_tensor_read(output, to, 0, found, (size_t)to->bytes, NULL), NULL);
        for (uint64_t r = 0; r < from->ne[1]; r++)
            format->encode(x + r * 256, expected + r * (to->bytes / from->ne[1]), 256, NULL);
        assert_memory_equal(found, expected, (size_t)to->bytes);
        assert_true(XXH3_64bits(found, (size_t)to->bytes) == items[i].digest);
        free(x);
        free(expected);
        free(found);
    }
    gguf_close(output);
}

static void many_tensors(void **state)
{
    struct scratch *s = *state;
    struct gguf *model = open_many(s);
    struct quant_item first[MANY], items[MANY];
    const struct quant_settings scalar = {.threads = 1};
    run_many(s, model, &scalar, first);
    assert_encoded(model, s, first);
    for (int i = 0; i < 16; i++) {
        struct quant_settings settings = {.threads = 1 + i / 4, .cpu = (enum quant_cpu)(i % 4)};
        if (!quant_cpu_runs(settings.cpu))
            continue;
        run_many(s, model, &settings, items);
        for (size_t k = 0; k < MANY; k++) {
            assert_true(items[k].digest == first[k].digest);
            assert_true(items[k].error == first[k].error && items[k].energy == first[k].energy);
        }
    }
    gguf_close(model);
}

/* Each preset has its encoder. */
static void presets(void **state)
{
    static const enum quant_preset all[] = {QUANT_PRESET_FAST, QUANT_PRESET_DEFAULT,
                                            QUANT_PRESET_BEST};
    const uint64_t ne[3] = {256, 4, 1};
    struct scratch *s = *state;
    const struct quant_format *format = quant_format_find(GGUF_Q4_K);
    unsigned char expected[4 * 144], found[sizeof expected];
    float *x = make_values(1024);
    make_source(scratch_path(s, "in.gguf"), GGUF_F32, ne, false);
    struct gguf *model = open_model(s->path);
    for (size_t i = 0; i < 3; i++) {
        struct gguf_error err = {0};
        struct quant_settings settings = {.preset = all[i], .cpu = quant_cpu_best()};
        struct quant_item item = item_of(0, GGUF_Q4_K);
        struct gguf_writer *w = begin(model, scratch_path(s, "out.gguf"), &item, 1);
        must(quant_run(model, w, &item, 1, &settings, &err), &err);
        must(gguf_writer_finish(w, &err), &err);
        gguf_writer_free(w);
        for (size_t r = 0; r < 4; r++)
            quant_encoder(format, all[i])(x + r * 256, expected + r * 144, 256, NULL);
        struct gguf *output = open_model(s->path);
        must(gguf_tensor_read(output, gguf_tensor_at(output, 0), 0, found, sizeof found, NULL),
             NULL);
        assert_memory_equal(found, expected, sizeof found);
        gguf_close(output);
    }
    gguf_close(model);
    free(x);
}

/* ---- Memory ----------------------------------------------------------------------------- */

/* Bytes that a process may still allocate, from what it has now. */
static bool limit_memory(uint64_t more)
{
    char line[128];
    unsigned long long kib = 0;
    FILE *f = fopen("/proc/self/status", "r");
    while (f && fgets(line, sizeof line, f) && sscanf(line, "VmData: %llu", &kib) != 1)
        ;
    if (f)
        fclose(f);
    struct rlimit limit = {(rlim_t)(kib * 1024 + more), (rlim_t)(kib * 1024 + more)};
    return kib > 0 && setrlimit(RLIMIT_DATA, &limit) == 0;
}

static int quantize_within(const struct gguf *model, struct gguf_writer *w,
                           struct quant_item *item, uint64_t bytes)
{
    struct quant_settings settings = {.threads = 1, .cpu = quant_cpu_best()};
    if (!limit_memory(bytes))
        return 77;
    return quant_run(model, w, item, 1, &settings, NULL) == GGUF_OK &&
                   quant_verify(model, w, item, 1, &settings, NULL) == GGUF_OK
               ? 0
               : 1;
}

/* 64 MiB of halves that are all finite. */
static struct gguf *open_large(struct scratch *s)
{
    const uint64_t ne[2] = {4096, 8192};
    struct gguf_error err = {0};
    struct gguf_writer *w =
        new_writer(scratch_path(s, "in.gguf"), (struct gguf_writer_options){0});
    must(gguf_writer_add_tensor(w, STR("w"), GGUF_F16, 2, ne, GGUF_SHARD_AUTO, &err), &err);
    must(gguf_writer_begin(w, &err), &err);
    enum { PIECE = 1 << 20 };
    uint16_t *data = malloc(PIECE * sizeof *data);
    for (uint32_t at = 0; at < 32 << 20; at += PIECE) {
        for (uint32_t i = 0; i < PIECE; i++)
            data[i] = (uint16_t)((at + i) * 2654435761u >> 16 & 0xbbff);
        must(gguf_writer_write(w, 0, at * sizeof *data, data, PIECE * sizeof *data, &err),
             &err);
    }
    free(data);
    must(gguf_writer_finish(w, &err), &err);
    gguf_writer_free(w);
    return open_model(s->path);
}

/* They become as many in a process that may take no more than 16 MiB for it. */
static void memory_is_bounded(void **state)
{
    struct scratch *s = *state;
    struct gguf *model = open_large(s);
    struct quant_item item = item_of(0, GGUF_BF16);
    struct gguf_writer *w = begin(model, scratch_path(s, "out.gguf"), &item, 1);
    int status = 0;
    pid_t child = fork();
    if (child == 0)
        _exit(quantize_within(model, w, &item, 16 << 20));
    assert_int_equal(waitpid(child, &status, 0), child);
    gguf_writer_free(w);
    gguf_close(model);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
        skip();
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

/* The ring is used again many times; reading back tells what was written over. */
static void more_than_the_ring_holds(void **state)
{
    struct scratch *s = *state;
    struct gguf *model = open_large(s);
    struct quant_item item = item_of(0, GGUF_F32), again = item;
    quantize(model, scratch_path(s, "out.gguf"), &item, 1);
    quantize(model, scratch_path(s, "out.gguf"), &again, 4);
    assert_true(item.digest == again.digest);
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
    enum { N = 64, ROWS = 3, EXPERTS = 4 };
    const uint64_t ne[4] = {N, ROWS, 2, EXPERTS / 2};
    struct scratch *s = *state;
    float weights[EXPERTS][N], y[N];
    unsigned char expected[ROWS * EXPERTS][36], found[ROWS * EXPERTS][36], other[36];
    const struct quant_format *format = quant_format_find(GGUF_Q4_0);
    double error = 0, energy = 0;
    float *x = make_values(N * ROWS * EXPERTS);
    for (size_t i = 0; i < N; i++) {
        weights[0][i] = i % 7 ? 0.01f : 100;
        weights[1][i] = i % 5 ? 50 : 0.02f;
        weights[2][i] = i % 3 ? 0.01f : 100;
        weights[3][i] = i % 4 ? 50 : 0.02f;
    }
    for (size_t r = 0; r < ROWS * EXPERTS; r++) {
        format->encode(x + r * N, expected[r], N, weights[r / ROWS]);
        format->encode(x + r * N, other, N, weights[(r / ROWS + 2) % EXPERTS]);
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
    make_source_of(scratch_path(s, "in.gguf"), GGUF_F32, 4, ne, false);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_SCRATCH(threads_do_not_matter),
        IN_SCRATCH(many_tensors),
        IN_SCRATCH(presets),
        IN_SCRATCH(memory_is_bounded),
        IN_SCRATCH(more_than_the_ring_holds),
        IN_SCRATCH(byte_order_does_not_matter),
        IN_SCRATCH(a_row_may_be_longer_than_a_chunk),
        IN_SCRATCH(each_expert_has_its_own_weights),
        IN_SCRATCH(other_types_are_copied),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
