/* The tables of kernels, by level. */
#include "model/kernels/kernels.h"

extern const struct model_kernels model_kernels_scalar;
extern const struct model_kernels8 model_kernels8_scalar[];
#if defined(__x86_64__)
extern const struct model_kernels model_kernels_avx2, model_kernels_avx512;
extern const struct model_kernels8 model_kernels8_avx2[], model_kernels8_avx512[];
#elif defined(__aarch64__)
extern const struct model_kernels model_kernels_neon;
extern const struct model_kernels8 model_kernels8_neon[];
#endif

const struct model_kernels *model_kernels_at(enum quant_cpu cpu)
{
    switch (cpu) {
#if defined(__x86_64__)
    case QUANT_CPU_AVX2:
        return &model_kernels_avx2;
    case QUANT_CPU_AVX512:
        return &model_kernels_avx512;
#elif defined(__aarch64__)
    case QUANT_CPU_NEON:
        return &model_kernels_neon;
#endif
    default:
        return &model_kernels_scalar;
    }
}

const struct model_kernels8 *model_kernels8_of(enum quant_cpu cpu)
{
    switch (cpu) {
#if defined(__x86_64__)
    case QUANT_CPU_AVX2:
        return model_kernels8_avx2;
    case QUANT_CPU_AVX512:
        return model_kernels8_avx512;
#elif defined(__aarch64__)
    case QUANT_CPU_NEON:
        return model_kernels8_neon;
#endif
    default:
        return model_kernels8_scalar;
    }
}

const struct model_kernels8 *model_kernels8_at(enum quant_cpu cpu)
{
    const struct model_kernels8 *set = model_kernels8_of(cpu);
    while (!set->runs()) /* the last one runs wherever the level does */
        set++;
    return set;
}
