/*
 * The errors of the encoders against tests/results.csv: no type and preset may get worse. And
 * that the comparison sees what it should.
 */
#include "libgguf/gguf.h"
#include "quant/quant.h"
#include "tests/bench/measure.h"
#include "tests/bench/objective.h"
#include "tests/bench/results.h"
#include "tests/bench/sets.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#define RESULTS "tests/results.csv"

/* ---- The file -------------------------------------------------------------------------- */

static bool has_files(const char *name)
{
    struct bench_set set;
    bool found = false;
    for (size_t i = 0; bench_set_load(&set, i); i++) {
        found = found || (strcmp(set.name, name) == 0 && set.n > 0);
        bench_set_free(&set);
    }
    return found;
}

static void compare(const char *name)
{
    if (!has_files(name))
        skip();
    struct bench_outcome outcome = bench_results_compare(RESULTS, name);
    assert_true(outcome.compared > 0);
    assert_int_equal(outcome.worse, 0);
    assert_int_equal(outcome.missing, 0);
    assert_int_equal(outcome.stale, 0);
    if (outcome.better)
        printf("%zu errors are smaller than in " RESULTS ": make results\n", outcome.better);
}

static void golden(void **state)
{
    (void)state;
    compare("golden");
}

static void generated(void **state)
{
    (void)state;
    compare("generated");
}

static void model(void **state)
{
    (void)state;
    compare("model");
}

/* A copy of the results with the digits of the first row of the generated set replaced: the
 * name is that of a temporary file. */
static void altered_copy(char *path, const char *numbers)
{
    char line[256];
    bool done = false;
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    FILE *out = fdopen(fd, "w"), *in = fopen(RESULTS, "r");
    assert_non_null(out);
    assert_non_null(in);
    while (fgets(line, sizeof line, in)) {
        char *comma = strstr(line, ",no,");
        if (!done && comma && strncmp(line, "generated,", 10) == 0) {
            comma += 3;
            snprintf(comma + 1, sizeof line - (size_t)(comma + 1 - line), "%s\n", numbers);
            done = true;
        }
        fputs(line, out);
    }
    fclose(in);
    fclose(out);
    assert_true(done);
}

static void sees_what_got_worse(void **state)
{
    (void)state;
    char path[] = "/tmp/results-XXXXXX";
    altered_copy(path, "1e-9,1e9");
    struct bench_outcome outcome = bench_results_compare(path, "generated");
    unlink(path);
    assert_int_equal(outcome.worse, 1);
    assert_int_equal(outcome.better, 1);
    assert_int_equal(outcome.missing, 0);
}

static void sees_missing_rows(void **state)
{
    (void)state;
    struct bench_outcome outcome =
        bench_results_compare("/nonexistent/results.csv", "generated");
    assert_int_equal(outcome.compared, 0);
    assert_true(outcome.missing > 0);
}

/* ---- The yardstick ------------------------------------------------------------------ */

static double weighted(uint32_t type, const float *x, const float *y, const float *importance)
{
    struct bench_error e = {0};
    bench_error_add(&e, bench_type_find(type), x, y, 256, importance);
    return e.weighted_error;
}

/* Rows of 3 and -4 with the error 1 in the first element alone: its weight is summed. */
static void weights_of_the_objectives(void **state)
{
    (void)state;
    float x[256], y[256], q[256];
    for (size_t i = 0; i < 256; i++) {
        y[i] = x[i] = i % 2 ? 4.0f : 3.0f; /* mean of the squares: 12.5 */
        q[i] = 2;
    }
    y[0] = 2;
    static const struct {
        uint32_t type;
        double without, with;
    } expected[] = {
        {GGUF_Q4_0, 1, 9.2736184954957},
        {GGUF_Q8_0, 1, 9.2736184954957},
        {GGUF_Q2_K, 3, 9.2736184954957},
        {GGUF_Q3_K, 9, 11.661903789690601},
        {GGUF_Q4_K, 6.5355339059327378, 11.661903789690601},
        {GGUF_Q6_K, 9, 2},
        {GGUF_IQ4_NL, 9, 11.661903789690601},
        {GGUF_TQ1_0, 1, 2},
    };
    for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++) {
        double without = weighted(expected[i].type, x, y, NULL);
        double with = weighted(expected[i].type, x, y, q);
        assert_true(fabs(without - expected[i].without) < 1e-9);
        assert_true(fabs(with - expected[i].with) < 1e-9);
    }
}

/* s^2 is of the row for 32-element types, of the super-block or of the block for others. */
static void spans_of_the_spread(void **state)
{
    (void)state;
    float x[256] = {1}, y[256] = {0}, q[256];
    for (size_t i = 0; i < 256; i++)
        q[i] = 1;
    x[32] = y[32] = 15; /* adds 225 to the row and to the second block */
    double row = weighted(GGUF_Q4_0, x, y, q), block = weighted(GGUF_IQ4_NL, x, y, q);
    assert_true(fabs(row - sqrt(226.0 / 256 + 1)) < 1e-9);
    assert_true(fabs(block - sqrt(2.0 / 32 + 1)) < 1e-9);
}

static void rounding_to_nearest(void **state)
{
    (void)state;
    const struct bench_type *type = bench_type_find(GGUF_Q4_0);
    float x[32] = {-8, 7, 3.4f, -2.6f}, y[32], scales[2];
    int8_t codes[32];
    bench_round(type, x, 32, codes, scales);
    bench_unround(type, codes, scales, 32, y);
    assert_true(fabsf(y[0] + 8) < 1e-6f && fabsf(y[1] - 7) < 1e-6f);
    assert_true(fabsf(y[2] - 3) < 1e-6f && fabsf(y[3] + 3) < 1e-6f);
    type = bench_type_find(GGUF_Q4_1);
    x[0] = -1, x[1] = 14, x[3] = 0;
    bench_round(type, x, 32, codes, scales);
    assert_int_equal(codes[0], 0);
    assert_int_equal(codes[1], 15);
    assert_int_equal(codes[4], 1);
}

/* The golden encodings, measured here, have the errors that came with them. */
static void golden_reference(void **state)
{
    (void)state;
    struct bench_set set;
    assert_true(bench_set_load(&set, 0));
    if (!set.n)
        skip();
    struct bench_error sum = {0};
    for (size_t g = 0; g < set.n; g++) {
        const struct bench_group *group = &set.groups[g];
        float *y = bench_set_reference(&set, g, GGUF_Q4_K, false);
        assert_non_null(y);
        for (size_t r = 0; group->counted && r < group->rows; r++)
            bench_error_add(&sum, bench_type_find(GGUF_Q4_K), group->x + r * group->columns,
                            y + r * group->columns, group->columns, NULL);
        free(y);
    }
    bench_set_free(&set);
    assert_true(fabs(bench_rmse(&sum) - 0.0248712908) < 1e-8);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(weights_of_the_objectives),
        cmocka_unit_test(spans_of_the_spread),
        cmocka_unit_test(rounding_to_nearest),
        cmocka_unit_test(golden_reference),
        cmocka_unit_test(golden),
        cmocka_unit_test(generated),
        cmocka_unit_test(model),
        cmocka_unit_test(sees_what_got_worse),
        cmocka_unit_test(sees_missing_rows),
    };
    return cmocka_run_group_tests_name("results", tests, NULL, NULL);
}
