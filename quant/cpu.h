/* The tables of kernels, one for each level of the processor; see kernels/level.h. Inside
 * quant/ only: quant/quant.h has what others use. */
#ifndef QUANT_CPU_H
#define QUANT_CPU_H

#include "quant/levels.h"
#include "quant/measure.h"

#if defined(__x86_64__)
#define QUANT_HAS_X86
#elif defined(__aarch64__)
#define QUANT_HAS_NEON
#endif

extern const struct quant_format quant_formats_scalar[];
extern const struct quant_levels_format quant_levels_scalar[];
extern const struct quant_measure quant_measure_scalar;
#ifdef QUANT_HAS_X86
extern const struct quant_format quant_formats_avx2[], quant_formats_avx512[];
extern const struct quant_levels_format quant_levels_avx2[], quant_levels_avx512[];
extern const struct quant_measure quant_measure_avx2, quant_measure_avx512;
#endif
#ifdef QUANT_HAS_NEON
extern const struct quant_format quant_formats_neon[];
extern const struct quant_levels_format quant_levels_neon[];
extern const struct quant_measure quant_measure_neon;
#endif

#endif
