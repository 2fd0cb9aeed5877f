/*
 * What a fuzz target consists of: the entry point that libFuzzer and driver.c call with bytes
 * that may be anything, and inputs to begin with. A target aborts on what must not happen.
 */
#ifndef FUZZ_H
#define FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define FUZZ_SEED_MAX (1 << 16)
/* Writes seed `index` into `out`, FUZZ_SEED_MAX bytes; its size, or 0 past the last one. */
size_t fuzz_seed(size_t index, uint8_t *out);

/* What must hold; kept in every build. */
#define fuzz_assert(condition)                                                                 \
    do {                                                                                       \
        if (!(condition)) {                                                                    \
            fprintf(stderr, "%s:%d: %s does not hold\n", __FILE__, __LINE__, #condition);      \
            abort();                                                                           \
        }                                                                                      \
    } while (0)

#endif
