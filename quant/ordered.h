/*
 * Work that a team of threads shares: units are worked on by all threads at once, in any
 * order, and retired one at a time, in theirs. What comes out does not depend on the number of
 * threads. Inside quant/ only.
 *
 *   next unit          claim            work             retire
 *   ---------------->  in order  ---->  all threads -->  in order
 *                      |<------- at most `window` units ------->|
 */
#ifndef QUANT_ORDERED_H
#define QUANT_ORDERED_H

#include "libgguf/gguf.h"

struct ordered {
    uint64_t units;
    int threads;     /* at most, the calling one included; 0: as many as OpenMP gives */
    uint64_t window; /* units that may be in flight, > 0 */
    void *context;
    /* In the order of the units, never twice at once; short. May be NULL. */
    void (*claim)(void *context, uint64_t unit);
    /* `thread` is below `threads`. */
    enum gguf_status (*work)(void *context, uint64_t unit, int thread, struct gguf_error *err);
    /* In the order of the units, never twice at once, of units that were worked on. */
    enum gguf_status (*retire)(void *context, uint64_t unit, struct gguf_error *err);
    /* By the calling thread, now and then, with the number of units that are retired: each
     * time a greater one, and all of them in the end. What it fails with ends the work. */
    enum gguf_status (*report)(void *context, uint64_t retired, struct gguf_error *err);
};

/* The threads that will work: no more than there are units. */
int quant_ordered_threads(const struct ordered *job);

/* Of units that fail, the first one decides the status and *err: no unit before it is left
 * out, and none after it is retired. */
enum gguf_status quant_ordered_run(const struct ordered *job, struct gguf_error *err);

#endif
