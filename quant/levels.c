/* The tables of levels, by level of the processor. */
#include "quant/levels.h"
#include "quant/cpu.h"

extern const struct quant_levels_format quant_levels_scalar[];
#ifdef QUANT_HAS_X86
extern const struct quant_levels_format quant_levels_avx2[], quant_levels_avx512[];
#endif
#ifdef QUANT_HAS_NEON
extern const struct quant_levels_format quant_levels_neon[];
#endif

static const struct quant_levels_format *table_at(enum quant_cpu cpu)
{
    switch (cpu) {
#ifdef QUANT_HAS_X86
    case QUANT_CPU_AVX2:
        return quant_levels_avx2;
    case QUANT_CPU_AVX512:
        return quant_levels_avx512;
#endif
#ifdef QUANT_HAS_NEON
    case QUANT_CPU_NEON:
        return quant_levels_neon;
#endif
    default:
        return quant_levels_scalar;
    }
}

const struct quant_levels_format *quant_levels_at(uint32_t type, enum quant_cpu cpu)
{
    for (const struct quant_levels_format *f = table_at(cpu); f->unpack; f++)
        if (f->type == type)
            return f;
    return NULL;
}
