/*
 * The codebooks of the IQ types. An entry of a uint64_t table holds eight values and of a
 * uint32_t table four, one a byte, the first in the lowest byte; those of IQ1 are signed.
 * They are part of the format: learned once by its author, on the E8 and D4 lattices.
 */
#ifndef QUANT_IQ_TABLES_H
#define QUANT_IQ_TABLES_H

#include <stdint.h>

extern const uint64_t quant_iq1s_grid[2048];
extern const uint64_t quant_iq2xxs_grid[256];
extern const uint64_t quant_iq2xs_grid[512];
extern const uint64_t quant_iq2s_grid[1024];
extern const uint32_t quant_iq3xxs_grid[256];
extern const uint32_t quant_iq3s_grid[512];

#endif
