/*
 * Everything in quant/kernels/ is compiled once for each level of the processor (the table
 * LEVELS in the Makefile): scalar, avx2, avx512, neon. The source is the same and so are the
 * bytes that come out; LEVEL_NAME keeps the copies apart. Inside quant/ only.
 */
#ifndef QUANT_KERNELS_LEVEL_H
#define QUANT_KERNELS_LEVEL_H

#ifndef QUANT_LEVEL
#define QUANT_LEVEL scalar
#endif

#define LEVEL_JOIN_(name, level) name##_##level
#define LEVEL_JOIN(name, level)  LEVEL_JOIN_(name, level)
#define LEVEL_NAME(name)         LEVEL_JOIN(name, QUANT_LEVEL)

#endif
