/* The order of the output: outside blk. first, then block by block, names bytewise. */
#include "quant/recipe.h"
#include "libgguf/error.h"

#include <stdlib.h>
#include <string.h>

bool recipe_block_number(struct gguf_str name, uint64_t *number)
{
    static const char prefix[] = "blk.";
    const size_t start = sizeof prefix - 1;
    if (name.size < start || memcmp(name.data, prefix, start) != 0)
        return false;

    uint64_t n = 0;
    size_t i = start;
    /* Nine digits are more than any model has, and cannot overflow. */
    for (; i < name.size && i < start + 9 && name.data[i] >= '0' && name.data[i] <= '9'; i++)
        n = n * 10 + (uint64_t)(name.data[i] - '0');
    if (i == start)
        return false;
    *number = n;
    return true;
}

struct sort_key {
    struct gguf_str name;
    uint64_t block; /* 0 outside blk., N + 1 in block N */
    uint32_t tensor;
};

static int compare_keys(const void *left, const void *right)
{
    const struct sort_key *a = left, *b = right;
    if (a->block != b->block)
        return a->block < b->block ? -1 : 1;
    return gguf_str_compare(a->name, b->name);
}

enum gguf_status recipe_order(const struct gguf *model, uint32_t *order, struct gguf_error *err)
{
    size_t count = gguf_tensor_count(model);
    struct sort_key *keys = calloc(count ? count : 1, sizeof *keys);
    if (!keys)
        return gguf_fail_memory(err);

    for (size_t i = 0; i < count; i++) {
        uint64_t number;
        keys[i].name = gguf_tensor_at(model, i)->name;
        keys[i].tensor = (uint32_t)i;
        keys[i].block = recipe_block_number(keys[i].name, &number) ? number + 1 : 0;
    }
    qsort(keys, count, sizeof *keys, compare_keys);
    for (size_t i = 0; i < count; i++)
        order[i] = keys[i].tensor;
    free(keys);
    return GGUF_OK;
}
