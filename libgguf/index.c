/* Arrays that grow, and a hash table from names to positions: see index.h. */
#include "libgguf/index.h"
#include "libgguf/internal.h"

#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

bool gguf_reserve(void **array, size_t count, size_t *capacity, size_t size)
{
    if (count < *capacity)
        return true;
    size_t more = *capacity ? *capacity * 2 : 32;
    void *grown = more > SIZE_MAX / size ? NULL : realloc(*array, more * size);
    if (!grown)
        return false;
    *array = grown;
    *capacity = more;
    return true;
}

static bool same(struct gguf_str a, struct gguf_str b)
{
    return a.size == b.size && memcmp(a.data, b.data, a.size) == 0;
}

/* The address of the table is part of the seed: collisions cannot be prepared in a file. */
static size_t first_slot(const struct gguf_index *index, struct gguf_str name)
{
    uint64_t hash = XXH3_64bits_withSeed(name.data, name.size, index->seed);
    return (size_t)hash & (index->capacity - 1);
}

size_t gguf_index_find(const struct gguf_index *index, struct gguf_str name,
                       gguf_name_fn name_at, const void *owner)
{
    if (index->capacity == 0)
        return GGUF_NOT_FOUND;
    for (size_t i = first_slot(index, name);; i = (i + 1) & (index->capacity - 1)) {
        if (index->slots[i] == 0)
            return GGUF_NOT_FOUND;
        size_t position = index->slots[i] - 1;
        if (same(name_at(owner, position), name))
            return position;
    }
}

static void put(struct gguf_index *index, size_t position, struct gguf_str name)
{
    size_t i = first_slot(index, name);
    while (index->slots[i] != 0)
        i = (i + 1) & (index->capacity - 1);
    index->slots[i] = (uint32_t)(position + 1);
}

/* Doubles the table; it is at most three quarters full. */
static bool grow(struct gguf_index *index, gguf_name_fn name_at, const void *owner)
{
    struct gguf_index old = *index;
    index->capacity = old.capacity ? old.capacity * 2 : 64;
    index->slots = calloc(index->capacity, sizeof *index->slots);
    if (!index->slots) {
        *index = old;
        return false;
    }
    index->seed = (uint64_t)(uintptr_t)index->slots;
    for (size_t i = 0; i < old.capacity; i++) {
        if (old.slots[i] != 0)
            put(index, old.slots[i] - 1, name_at(owner, old.slots[i] - 1));
    }
    free(old.slots);
    return true;
}

bool gguf_index_add(struct gguf_index *index, size_t position, gguf_name_fn name_at,
                    const void *owner)
{
    if (position >= UINT32_MAX)
        return false;
    if ((index->count + 1) * 4 > index->capacity * 3 && !grow(index, name_at, owner))
        return false;
    put(index, position, name_at(owner, position));
    index->count++;
    return true;
}

void gguf_index_free(struct gguf_index *index)
{
    free(index->slots);
    *index = (struct gguf_index){0};
}
