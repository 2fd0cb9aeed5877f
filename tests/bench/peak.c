/* Measuring the peak: see peak.h. */
#include "tests/bench/peak.h"
#include "model/kernels/kernels.h"
#include "tools/common/term.h"

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

typedef double (*loop_fn)(size_t rounds, float *out);

/* Operations a second of one pass: all threads run the loop, and the slowest ends it. */
static double run_pass(loop_fn loop, size_t rounds, int threads)
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

static double best_of(loop_fn loop, int threads)
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

void bench_peak_raise(struct bench_peak *peak, enum quant_cpu cpu, int threads)
{
    const struct peak_kernels *k = kernels_at(cpu);
    double floats = best_of(k->floats, threads);
    peak->floats = floats > peak->floats ? floats : peak->floats;
    if (!k->integers || !model_kernels8_at(cpu))
        return;
    double integers = best_of(k->integers, threads);
    peak->integers = integers > peak->integers ? integers : peak->integers;
}
