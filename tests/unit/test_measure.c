/* The sums of squares and the check for numbers, at every level of the processor. */
#include "quant/levels.h"
#include "quant/measure.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

#define N 700 /* two pieces and a rest */

static void fill(float x[N], float y[N], float scale)
{
    uint32_t seed = 1;
    for (size_t i = 0; i < N; i++) {
        seed = seed * 1664525u + 1013904223u;
        x[i] = ((float)(seed >> 8) * 0x1p-23f - 1) * scale;
        y[i] = x[i] + (float)(seed & 255) * 0x1p-12f * scale;
    }
}

/* The definition, once more and plain: 16 lanes a piece, halved until one is left. */
static double sum_piece(const double *square, size_t n)
{
    double lane[16] = {0};
    for (size_t i = 0; i < n; i++)
        lane[i % 16] += square[i];
    for (size_t width = 8; width; width /= 2)
        for (size_t l = 0; l < width; l++)
            lane[l] += lane[l + width];
    return lane[0];
}

static struct quant_sums expected_sums(const float *x, const float *y, size_t n)
{
    struct quant_sums sums = {0, 0};
    for (size_t i = 0; i < n; i += QUANT_MEASURE_PIECE) {
        double error[QUANT_MEASURE_PIECE], energy[QUANT_MEASURE_PIECE];
        size_t piece = n - i < QUANT_MEASURE_PIECE ? n - i : QUANT_MEASURE_PIECE;
        for (size_t j = 0; j < piece; j++) {
            double r = (double)x[i + j] - (double)y[i + j];
            error[j] = r * r;
            energy[j] = (double)x[i + j] * (double)x[i + j];
        }
        sums.error += sum_piece(error, piece);
        sums.energy += sum_piece(energy, piece);
    }
    return sums;
}

static void sums_are_those_of_the_definition(void **state)
{
    const float scales[] = {1, 1e-38f, 1e-42f, 1e37f, 0};
    float x[N], y[N];
    (void)state;
    for (size_t s = 0; s < sizeof scales / sizeof scales[0]; s++) {
        fill(x, y, scales[s]);
        for (size_t n = 0; n <= N; n += n < 40 ? 1 : 33) {
            const struct quant_sums expected = expected_sums(x, y, n);
            for (int cpu = 0; quant_cpu_name((enum quant_cpu)cpu); cpu++) {
                const struct quant_measure *measure = quant_measure_at((enum quant_cpu)cpu);
                struct quant_sums found = {0, 0};
                if (!measure)
                    continue;
                measure->add(&found, x, y, n);
                assert_memory_equal(&found, &expected, sizeof found);
            }
        }
    }
}

static void the_largest_floats_do_not_overflow(void **state)
{
    float x[N], y[N];
    struct quant_sums sums = {0, 0};
    (void)state;
    for (size_t i = 0; i < N; i++) {
        x[i] = 3.4028235e38f;
        y[i] = -3.4028235e38f;
    }
    quant_measure_at(quant_cpu_best())->add(&sums, x, y, N);
    assert_true(isfinite(sums.error) && isfinite(sums.energy));
    x[N - 1] = INFINITY;
    quant_measure_at(quant_cpu_best())->add(&sums, x, y, N);
    assert_true(!isfinite(sums.energy));
}

static void the_first_that_is_no_number_is_found(void **state)
{
    const float bad[] = {NAN, INFINITY, -INFINITY};
    float x[N], y[N];
    (void)state;
    fill(x, y, 3.4e38f);
    for (int cpu = 0; quant_cpu_name((enum quant_cpu)cpu); cpu++) {
        const struct quant_measure *measure = quant_measure_at((enum quant_cpu)cpu);
        if (!measure)
            continue;
        assert_int_equal(measure->find_not_finite(x, N), SIZE_MAX);
        assert_int_equal(measure->find_not_finite(x, 0), SIZE_MAX);
        for (size_t i = 0; i < N; i++) {
            float kept = x[i];
            x[i] = bad[i % 3];
            assert_int_equal(measure->find_not_finite(x, N), i);
            assert_int_equal(measure->find_not_finite(x, i), SIZE_MAX);
            x[i] = kept;
        }
        x[300] = NAN;
        x[600] = NAN;
        assert_int_equal(measure->find_not_finite(x, N), 300);
        fill(x, y, 3.4e38f);
    }
}

static void levels_that_cannot_run_have_no_kernels(void **state)
{
    (void)state;
    for (int cpu = 0; quant_cpu_name((enum quant_cpu)cpu); cpu++) {
        bool runs = quant_cpu_runs((enum quant_cpu)cpu);
        assert_true(runs == (quant_format_at(GGUF_Q4_K, (enum quant_cpu)cpu) != NULL));
        assert_true(runs == (quant_levels_at(GGUF_Q4_K, (enum quant_cpu)cpu) != NULL));
        assert_true(runs == (quant_measure_at((enum quant_cpu)cpu) != NULL));
        assert_null(quant_levels_at(GGUF_F32, (enum quant_cpu)cpu));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sums_are_those_of_the_definition),
        cmocka_unit_test(the_largest_floats_do_not_overflow),
        cmocka_unit_test(the_first_that_is_no_number_is_found),
        cmocka_unit_test(levels_that_cannot_run_have_no_kernels),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
