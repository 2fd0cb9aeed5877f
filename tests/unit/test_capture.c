/* Importance: what is added up while a model reads, against numbers that llama-imatrix
 * (2026-09) printed for the same texts; and what must not matter. */
#include "model/capture.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "tools/common/calibrate.h"

#define TEXT "fixtures/shakespeare-heldout.txt"

static struct gguf_str str(const char *s)
{
    return (struct gguf_str){s, strlen(s)};
}

static struct quant_tally *new_tally(void)
{
    struct quant_tally *tally;
    assert_int_equal(quant_tally_new(&tally, NULL), GGUF_OK);
    return tally;
}

static const struct quant_squares *find(const struct quant_tally *tally, const char *name)
{
    for (size_t i = 0; i < quant_tally_count(tally); i++) {
        if (gguf_str_equal(quant_tally_at(tally, i)->name, name))
            return quant_tally_at(tally, i);
    }
    return NULL;
}

/* ---- A real pass ----------------------------------------------------------------- */

struct golden {
    const char *tensor;
    uint64_t columns, experts;
    double sum, first, last; /* of sums: all of them, the first one, the last one */
    float counts[4];
};

static const struct golden real[] = {
    {"blk.0.attn_q.weight", 256, 1, 131821.565, 559.404663, 555.757202, {1024}},
    {"blk.1.attn_output.weight", 256, 1, 8212.12558, 15.9342613, 29.9812851, {1024}},
    {"blk.3.ffn_down.weight", 768, 1, 274331.465, 495.00293, 461.541932, {1024}},
    {"blk.3.ffn_up.weight", 256, 1, 245342.654, 839.28772, 944.095825, {1024}},
    {"output.weight", 256, 1, 408846.875, 1259.60742, 1808.20288, {1024}},
};

static const struct golden experts[] = {
    {"blk.1.ffn_down_exps.weight",
     32,
     4,
     10089.1983,
     26.3606892,
     5.72843599,
     {181, 179, 121, 31}},
    {"blk.0.ffn_gate_exps.weight",
     64,
     4,
     34671.1243,
     131.016357,
     113.354233,
     {118, 96, 83, 215}},
    {"blk.0.ffn_gate_inp.weight", 64, 1, 17335.5615, 249.20994, 133.98375, {256}},
    {"blk.1.ffn_gate_inp_shexp.weight", 64, 1, 15656.0742, 435.247589, 464.724976, {256}},
};

static const struct golden heads[] = {
    {"blk.0.attn_k_b.weight", 64, 1, 49191.4265, 531.485840, 1618.68311, {256}},
    {"blk.2.attn_v_b.weight", 128, 1, 13267.7209, 62.1207466, 51.2045975, {256}},
};

/* The cache in half precision as llama-imatrix has it: heads of 8, which its attention has no
 * kernel for, and of 16. With a cache of floats the worst of these are off by 1.4e-3
 * and 3.5e-4. */
static const struct golden small_heads[] = {
    {"blk.4.ffn_down.weight", 172, 1, 21576.9513, 260.739410, 67.2560883, {512}},
    {"blk.3.ffn_down.weight", 172, 1, 13037.4130, 120.767662, 57.7440834, {512}},
    {"blk.4.attn_output.weight", 64, 1, 3551.15365, 27.7276936, 75.6643906, {512}},
};

static const struct golden half_cache[] = {
    {"blk.1.attn_output.weight", 64, 1, 16244.0755, 70.5763779, 209.747116, {1024}},
    {"blk.0.attn_output.weight", 64, 1, 12349.1528, 330.126465, 98.1559372, {1024}},
    {"blk.1.ffn_down_exps.weight",
     48,
     4,
     101949.570,
     43.4588699,
     890.320618,
     {244, 773, 471, 560}},
};

#define NEAR 1e-3 /* relative */

static void assert_near(const char *tensor, double found, double expected, double tolerance)
{
    if (!(fabs(found - expected) <= tolerance * expected))
        fail_msg("%s: %.8g, llama-imatrix says %.8g", tensor, found, expected);
}

static void check(const struct quant_tally *tally, const struct golden *g, double tolerance)
{
    const struct quant_squares *found = find(tally, g->tensor);
    double sum = 0;
    assert_non_null(found);
    assert_int_equal(found->columns, g->columns);
    assert_int_equal(found->experts, g->experts);
    size_t n = (size_t)(g->columns * g->experts);
    for (size_t i = 0; i < n; i++)
        sum += (double)found->sums[i];
    assert_near(g->tensor, sum, g->sum, tolerance);
    assert_near(g->tensor, (double)found->sums[0], g->first, tolerance);
    assert_near(g->tensor, (double)found->sums[n - 1], g->last, tolerance);
    for (size_t e = 0; e < g->experts; e++)
        assert_true(found->counts[e] == g->counts[e]);
}

static void read_text(struct quant_tally *tally, const struct calibration_request *r)
{
    struct calibration c;
    if (access(r->model, R_OK) != 0) {
        print_message("%s is absent\n", r->model);
        quant_tally_free(tally);
        skip();
    }
    calibration_open(&c, r, tally);
    for (size_t i = 0; i < c.chunks; i++)
        calibration_chunk(&c, i);
    calibration_close(&c);
}

/* What the file of a run must hold. */
struct expected {
    const struct golden *golden;
    size_t n, tensors;
    double tolerance;
};
#define EXPECT(rows, tensors, tolerance)                                                       \
    (&(const struct expected){rows, sizeof rows / sizeof rows[0], tensors, tolerance})

static void run(const struct calibration_request *r, const struct expected *e)
{
    struct quant_tally *tally = new_tally();
    read_text(tally, r);
    assert_int_equal(quant_tally_count(tally), e->tensors);
    assert_int_equal(quant_tally_chunks(tally, (uint32_t)r->chunk), r->chunks);
    for (size_t i = 0; i < e->n; i++)
        check(tally, &e->golden[i], e->tolerance);
    quant_tally_free(tally);
}

static void dense_model(void **state)
{
    (void)state;
    const struct calibration_request r = {.model = "fixtures/shakespeare-f16.gguf",
                                          .text = TEXT,
                                          .chunk = 256,
                                          .chunks = 4,
                                          .output = true,
                                          .cpu = quant_cpu_best()};
    run(&r, EXPECT(real, 29, NEAR));
}

static void model_with_experts(void **state)
{
    (void)state;
    const struct calibration_request r = {.model = "../shared/golden-eval/qwen2moe.gguf",
                                          .text = TEXT,
                                          .chunk = 64,
                                          .chunks = 4,
                                          .cpu = quant_cpu_best()};
    run(&r, EXPECT(experts, 24, NEAR));
}

/* The matrices of the heads share one count. */
static void latent_attention(void **state)
{
    (void)state;
    const struct calibration_request r = {.model = "../shared/golden-eval/deepseek2-mla.gguf",
                                          .text = TEXT,
                                          .chunk = 64,
                                          .chunks = 4,
                                          .cpu = quant_cpu_best()};
    run(&r, EXPECT(heads, 35, NEAR));
}

static void heads_without_kernel(void **state)
{
    (void)state;
    const struct calibration_request r = {.model = "../shared/models/stories260K.gguf",
                                          .text = TEXT,
                                          .chunk = 128,
                                          .chunks = 4,
                                          .cpu = quant_cpu_best()};
    run(&r, EXPECT(small_heads, 35, 3e-4));
}

static void cache_in_half_precision(void **state)
{
    (void)state;
    const struct calibration_request r = {.model = "../shared/golden-eval/llama-moe.gguf",
                                          .text = TEXT,
                                          .chunk = 512,
                                          .chunks = 2,
                                          .cpu = quant_cpu_best()};
    run(&r, EXPECT(half_cache, 16, 5e-5));
}

static void threads_do_not_matter(void **state)
{
    (void)state;
    struct quant_tally *one = new_tally(), *three = new_tally();
    struct calibration_request r = {.model = "fixtures/shakespeare-f16.gguf",
                                    .text = TEXT,
                                    .chunk = 256,
                                    .chunks = 2,
                                    .threads = 1,
                                    .cpu = quant_cpu_best()};
    read_text(one, &r);
    r.threads = 3;
    read_text(three, &r);
    for (size_t i = 0; i < quant_tally_count(one); i++) {
        const struct quant_squares *a = quant_tally_at(one, i), *b = quant_tally_at(three, i);
        assert_memory_equal(a->sums, b->sums, (size_t)a->columns * sizeof(float));
    }
    quant_tally_free(one);
    quant_tally_free(three);
}

/* ---- Inputs made up -------------------------------------------------------------- */

static void see(struct model_capture *capture, const char *name, uint32_t expert,
                uint32_t matrices, const float data[6])
{
    const struct model_input input = {str(name), expert, matrices, 2, 3, data};
    model_capture_input(capture, &input);
}

static const float rows[6] = {1, -2, 3, 0, 4, 0.5f};
static const float squares[3] = {1, 20, 9.25f};

static void which_tensors_count(void **state)
{
    (void)state;
    for (int output = 0; output < 2; output++) {
        struct quant_tally *tally = new_tally();
        struct model_capture *capture;
        assert_int_equal(model_capture_new(&capture, tally, output, NULL), GGUF_OK);
        see(capture, "output.weight", 0, 1, rows);
        see(capture, "token_embd.weight", 0, 1, rows);
        see(capture, "blk.7.ffn_up.weight", 0, 1, rows);
        see(capture, "blk.7.ffn_up.weight", 0, 1, rows);
        assert_int_equal(model_capture_status(capture, NULL), GGUF_OK);
        assert_int_equal(quant_tally_count(tally), 1 + output);
        assert_null(find(tally, "token_embd.weight"));
        const struct quant_squares *up = find(tally, "blk.7.ffn_up.weight");
        for (int c = 0; c < 3; c++)
            assert_true(up->sums[c] == 2 * squares[c]);
        assert_true(up->counts[0] == 4);
        model_capture_free(capture);
        quant_tally_free(tally);
    }
}

static void experts_apart_and_heads_together(void **state)
{
    (void)state;
    struct quant_tally *tally = new_tally();
    struct model_capture *capture;
    assert_int_equal(model_capture_new(&capture, tally, false, NULL), GGUF_OK);
    see(capture, "blk.0.ffn_up_exps.weight", 2, 4, rows);
    see(capture, "blk.0.attn_k_b.weight", 0, 2, rows);
    see(capture, "blk.0.attn_k_b.weight", 1, 2, rows);
    const struct quant_squares *up = find(tally, "blk.0.ffn_up_exps.weight");
    assert_int_equal(up->columns, 3);
    assert_int_equal(up->experts, 4);
    assert_memory_equal(up->sums + 6, squares, sizeof squares);
    assert_true(up->sums[0] == 0 && up->counts[0] == 0 && up->counts[2] == 2);
    const struct quant_squares *k = find(tally, "blk.0.attn_k_b.weight");
    assert_int_equal(k->columns, 6);
    assert_int_equal(k->experts, 1);
    assert_memory_equal(k->sums + 3, squares, sizeof squares);
    assert_true(k->counts[0] == 2);
    model_capture_free(capture);
    quant_tally_free(tally);
}

/* After a failure nothing is added, and it is told with the name of the tensor. */
static void failures_stay(void **state)
{
    (void)state;
    const float bad[2][6] = {{NAN}, {1e30f, 1, 1, 1, 1, 1}};
    for (int i = 0; i < 2; i++) {
        struct quant_tally *tally = new_tally();
        struct model_capture *capture;
        struct gguf_error err;
        assert_int_equal(model_capture_new(&capture, tally, false, NULL), GGUF_OK);
        see(capture, "blk.0.ffn_up.weight", 0, 1, bad[i]);
        see(capture, "blk.1.ffn_up.weight", 0, 1, rows);
        assert_int_equal(model_capture_status(capture, &err), GGUF_ERR_DATA);
        assert_non_null(strstr(err.message, "'blk.0.ffn_up.weight'"));
        assert_null(find(tally, "blk.1.ffn_up.weight"));
        model_capture_free(capture);
        quant_tally_free(tally);
    }
}

static void other_sizes_than_before(void **state)
{
    (void)state;
    struct quant_tally *tally = new_tally();
    struct quant_squares *entry;
    struct model_capture *capture;
    struct gguf_error err;
    assert_int_equal(quant_tally_entry(tally, str("blk.0.ffn_up.weight"), 4, 1, &entry, NULL),
                     GGUF_OK);
    assert_int_equal(model_capture_new(&capture, tally, false, NULL), GGUF_OK);
    see(capture, "blk.0.ffn_up.weight", 0, 1, rows);
    assert_int_equal(model_capture_status(capture, &err), GGUF_ERR_DATA);
    assert_non_null(strstr(err.message, "1 x 3 columns"));
    model_capture_free(capture);
    quant_tally_free(tally);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dense_model),
        cmocka_unit_test(model_with_experts),
        cmocka_unit_test(latent_attention),
        cmocka_unit_test(heads_without_kernel),
        cmocka_unit_test(cache_in_half_precision),
        cmocka_unit_test(threads_do_not_matter),
        cmocka_unit_test(which_tensors_count),
        cmocka_unit_test(experts_apart_and_heads_together),
        cmocka_unit_test(failures_stay),
        cmocka_unit_test(other_sizes_than_before),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
