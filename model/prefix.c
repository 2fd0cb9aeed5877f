/* The longest text of a set that another text begins with, by bisection of a sorted array. */
#include "model/vocab.h"

#include <stdlib.h>

static int compare(const void *a, const void *b)
{
    const struct prefix *x = a, *y = b;
    int order = gguf_str_compare(x->text, y->text);
    if (order != 0)
        return order;
    return x->id < y->id ? 1 : -1; /* of equal texts the last token counts */
}

void prefix_set_sort(struct prefix_set *set)
{
    qsort(set->items, set->count, sizeof *set->items, compare);
    size_t i = 0;
    for (unsigned b = 0; b < 256; b++) {
        set->first[b] = i;
        while (i < set->count && (unsigned char)set->items[i].text.data[0] == b)
            i++;
    }
    set->first[256] = i;
}

/* The first of items[low..high) whose byte at `depth` is at least `byte`. All of them are
 * longer than `depth` and equal before it. */
static size_t lower_bound(const struct prefix_set *set, size_t low, size_t high, size_t depth,
                          unsigned byte)
{
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if ((unsigned char)set->items[middle].text.data[depth] < byte)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

const struct prefix *prefix_set_longest(const struct prefix_set *set, struct gguf_str at)
{
    if (at.size == 0)
        return NULL;
    const struct prefix *longest = NULL;
    unsigned char byte = (unsigned char)at.data[0];
    size_t low = set->first[byte], high = set->first[byte + 1];
    for (size_t depth = 1; low < high; depth++) {
        if (set->items[low].text.size == depth)
            longest = &set->items[low];
        while (low < high && set->items[low].text.size == depth)
            low++;
        if (depth == at.size)
            break;
        byte = (unsigned char)at.data[depth];
        low = lower_bound(set, low, high, depth, byte);
        high = lower_bound(set, low, high, depth, byte + 1u);
    }
    return longest;
}
