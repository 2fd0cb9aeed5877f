/* Measuring the peak: see peak.h. */
#include "tests/bench/peak.h"
#include "model/kernels/kernels.h"
#include "tools/common/cli.h"
#include "tools/common/term.h"

#include <string.h>

enum { PASSES = 5, OUT = 64 };

#define PASS_SECONDS 0.03

extern const struct peak_kernels peak_kernels_scalar;
#if defined(__x86_64__)
extern const struct peak_kernels peak_kernels_avx2, peak_kernels_avx512;
#elif defined(__aarch64__)
extern const struct peak_kernels peak_kernels_neon;
#endif

static const struct peak_kernels *kernels_at(enum quant_cpu cpu)
{
    switch (cpu) {
#if defined(__x86_64__)
    case QUANT_CPU_AVX2:
        return &peak_kernels_avx2;
    case QUANT_CPU_AVX512:
        return &peak_kernels_avx512;
#elif defined(__aarch64__)
    case QUANT_CPU_NEON:
        return &peak_kernels_neon;
#endif
    default:
        return &peak_kernels_scalar;
    }
}

/* Operations a second of one pass: all threads run the loop, and the slowest ends it. */
static double run_pass(peak_loop loop, size_t rounds, int threads)
{
    double operations = 0.0, start = term_seconds();
#pragma omp parallel num_threads(threads) reduction(+ : operations)
    {
        float out[OUT] = {1.0f, 1e-9f};
        operations += loop(rounds, out);
        *(volatile float *)out = out[0];
    }
    return operations / (term_seconds() - start);
}

static double best_of(peak_loop loop, int threads)
{
    size_t rounds = 1000;
    float out[OUT] = {1.0f, 1e-9f};
    for (double seconds = 0.0; seconds < PASS_SECONDS; rounds *= 2) {
        double start = term_seconds();
        (void)loop(rounds, out);
        seconds = term_seconds() - start;
    }
    double best = 0.0;
    for (int i = 0; i < PASSES; i++) {
        double speed = run_pass(loop, rounds, threads);
        best = speed > best ? speed : best;
    }
    return best;
}

static peak_loop integers_of(const struct peak_kernels *k, const char *name)
{
    for (size_t i = 0; i < sizeof k->integers / sizeof k->integers[0]; i++)
        if (k->integers[i].name && strcmp(k->integers[i].name, name) == 0)
            return k->integers[i].loop;
    cli_die("there is no loop for the peak of the instructions \"%s\"", name);
}

void bench_peak_raise(struct bench_peak *peak, enum quant_cpu cpu, int threads)
{
    const struct peak_kernels *k = kernels_at(cpu);
    double floats = best_of(k->floats, threads);
    double integers = best_of(integers_of(k, model_kernels8_at(cpu)->name), threads);
    peak->floats = floats > peak->floats ? floats : peak->floats;
    peak->integers = integers > peak->integers ? integers : peak->integers;
}
