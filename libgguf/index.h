/* A hash table from names to positions, built once: open addressing over XXH3, so that a
 * crafted header cannot make look-ups or the duplicate check quadratic. */
#ifndef LIBGGUF_INDEX_H
#define LIBGGUF_INDEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libgguf/gguf.h"

struct gguf_index {
    uint32_t *slots; /* position + 1; 0 is empty */
    size_t capacity; /* a power of two */
    size_t count;
    uint64_t seed;
};

/* The name at a position of the caller's own array. */
typedef struct gguf_str (*gguf_name_fn)(const void *owner, size_t position);

#define GGUF_NOT_FOUND SIZE_MAX

/* Position of a name, or GGUF_NOT_FOUND. */
size_t gguf_index_find(const struct gguf_index *index, struct gguf_str name,
                       gguf_name_fn name_at, const void *owner);

/* Adds position `position`, whose name the owner knows already. False without memory; the
 * caller has checked with gguf_index_find that the name is new. */
bool gguf_index_add(struct gguf_index *index, size_t position, gguf_name_fn name_at,
                    const void *owner);

void gguf_index_free(struct gguf_index *index);

#endif
