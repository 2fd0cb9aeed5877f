/* Arithmetic on sizes that come from a file: false on overflow, in one place. */
#ifndef LIBGGUF_CHECKED_H
#define LIBGGUF_CHECKED_H

#include <stdbool.h>
#include <stdint.h>

/* Every size and offset fits int64_t as well, so that off_t can hold it. */
#define CHECKED_MAX ((uint64_t)INT64_MAX)

static inline bool checked_add(uint64_t a, uint64_t b, uint64_t *sum)
{
    if (a > CHECKED_MAX || b > CHECKED_MAX - a)
        return false;
    *sum = a + b;
    return true;
}

static inline bool checked_mul(uint64_t a, uint64_t b, uint64_t *product)
{
    if (b != 0 && a > CHECKED_MAX / b)
        return false;
    *product = a * b;
    return true;
}

/* Rounds up to a multiple of `alignment`, a power of two. */
static inline bool checked_align(uint64_t a, uint64_t alignment, uint64_t *aligned)
{
    uint64_t up;
    if (!checked_add(a, alignment - 1, &up))
        return false;
    *aligned = up & ~(alignment - 1);
    return true;
}

#endif
