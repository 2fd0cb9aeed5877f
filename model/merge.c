/*
 * Merging neighbours, the core of SPM and BPE. The symbols of a word are a doubly linked
 * list in an array; pairs that may be merged wait in a heap. A merge makes at most two new
 * pairs, so a word of n symbols takes n log n. A pair in the heap is out of date when one
 * of its symbols has been merged since: its size tells.
 */
#include "libgguf/utf8.h"
#include "model/vocab.h"

#include <stdlib.h>
#include <string.h>

/* Room for `count` elements. */
static bool reserve(void **array, size_t count, size_t *capacity, size_t size)
{
    if (count <= *capacity)
        return true;
    size_t more = *capacity + *capacity / 2 + 64;
    more = more < count ? count : more;
    void *grown = more > SIZE_MAX / size ? NULL : realloc(*array, more * size);
    if (!grown)
        return false;
    *array = grown;
    *capacity = more;
    return true;
}

bool token_list_add(struct token_list *list, int32_t id)
{
    if (!reserve((void **)&list->ids, list->count + 1, &list->capacity, sizeof *list->ids))
        return false;
    list->ids[list->count++] = id;
    return true;
}

void token_list_free(struct token_list *list)
{
    free(list->ids);
    *list = (struct token_list){0};
}

enum gguf_status encoder_add(struct encoder *e, int32_t id)
{
    return token_list_add(e->list, id) ? GGUF_OK : gguf_fail_memory(e->err);
}

enum gguf_status encoder_add_byte(struct encoder *e, unsigned char byte)
{
    int32_t id = e->t->byte_token[byte];
    if (id == TOKENIZER_NONE)
        id = e->t->special[TOKENIZER_UNK];
    return id == TOKENIZER_NONE ? GGUF_OK : encoder_add(e, id);
}

enum gguf_status encoder_scratch(struct encoder *e, const char *bytes, size_t size)
{
    if (!reserve((void **)&e->scratch, e->n_scratch + size, &e->scratch_capacity, 1))
        return gguf_fail_memory(e->err);
    memcpy(e->scratch + e->n_scratch, bytes, size);
    e->n_scratch += size;
    return GGUF_OK;
}

/* ---- Heap ----------------------------------------------------------------------- */

static bool push(struct encoder *e, struct candidate new)
{
    if (!reserve((void **)&e->heap, e->n_heap + 1, &e->heap_capacity, sizeof *e->heap))
        return false;
    size_t i = e->n_heap++;
    for (size_t parent; i > 0 && e->heap[parent = (i - 1) / 2].order > new.order; i = parent)
        e->heap[i] = e->heap[parent];
    e->heap[i] = new;
    return true;
}

static struct candidate pop(struct encoder *e)
{
    struct candidate top = e->heap[0], last = e->heap[--e->n_heap];
    size_t i = 0;
    for (size_t child; (child = 2 * i + 1) < e->n_heap; i = child) {
        if (child + 1 < e->n_heap && e->heap[child + 1].order < e->heap[child].order)
            child++;
        if (e->heap[child].order >= last.order)
            break;
        e->heap[i] = e->heap[child];
    }
    e->heap[i] = last;
    return top;
}

/* ---- Merging -------------------------------------------------------------------- */

static bool consider(struct encoder *e, int32_t left, int32_t right, merge_fn merge)
{
    if (left < 0 || right < 0)
        return true;
    const struct symbol *a = &e->symbols[left], *b = &e->symbols[right];
    int32_t id;
    uint32_t rank;
    if (!merge(e, a, b, &id, &rank))
        return true;
    return push(
        e, (struct candidate){(uint64_t)rank << 32 | (uint32_t)left, a->size + b->size, id});
}

static size_t symbol_size(struct gguf_str rest, bool characters)
{
    uint32_t code;
    size_t n =
        characters ? gguf_utf8_decode((const unsigned char *)rest.data, rest.size, &code) : 1;
    return n ? n : 1;
}

static enum gguf_status split(struct encoder *e, struct gguf_str word, bool characters)
{
    if (word.size > INT32_MAX)
        return gguf_fail(e->err, GGUF_ERR_UNSUPPORTED, GGUF_NO_OFFSET,
                         "a piece of the text has %zu bytes; 2147483647 can be encoded at once",
                         word.size);
    if (!reserve((void **)&e->symbols, word.size, &e->symbol_capacity, sizeof *e->symbols))
        return gguf_fail_memory(e->err);
    e->word = (const unsigned char *)word.data;
    e->n_symbols = 0;
    for (size_t at = 0, n; at < word.size; at += n) {
        int32_t i = (int32_t)e->n_symbols++;
        struct gguf_str rest = {word.data + at, word.size - at};
        n = symbol_size(rest, characters);
        e->symbols[i] = (struct symbol){
            .start = (uint32_t)at,
            .size = (uint32_t)n,
            .previous = i - 1,
            .next = n == rest.size ? -1 : i + 1,
            .id = characters ? vocab_find(e->t, (struct gguf_str){rest.data, n})
                             : e->t->byte_token[(unsigned char)*rest.data],
        };
    }
    return GGUF_OK;
}

/* Makes the pair one symbol; it is in the place of the left one. */
static void join(struct encoder *e, struct symbol *left, int32_t id)
{
    struct symbol *right = &e->symbols[left->next];
    left->id = id;
    left->size += right->size;
    left->next = right->next;
    right->size = 0;
    if (left->next >= 0)
        e->symbols[left->next].previous = (int32_t)(left - e->symbols);
}

static enum gguf_status append(struct encoder *e, const struct symbol *symbol)
{
    if (symbol->id != TOKENIZER_NONE)
        return encoder_add(e, symbol->id);
    enum gguf_status status = GGUF_OK;
    for (uint32_t i = 0; i < symbol->size && status == GGUF_OK; i++)
        status = encoder_add_byte(e, e->word[symbol->start + i]);
    return status;
}

enum gguf_status encoder_merge(struct encoder *e, struct gguf_str word, bool characters,
                               merge_fn merge)
{
    enum gguf_status status = split(e, word, characters);
    bool memory = reserve((void **)&e->heap, e->n_symbols, &e->heap_capacity, sizeof *e->heap);
    e->n_heap = 0;
    for (size_t i = 1; i < e->n_symbols && status == GGUF_OK && memory; i++)
        memory = consider(e, (int32_t)i - 1, (int32_t)i, merge);
    while (e->n_heap > 0 && status == GGUF_OK && memory) {
        struct candidate pair = pop(e);
        int32_t at = (int32_t)(uint32_t)pair.order;
        struct symbol *left = &e->symbols[at];
        bool stale = left->size == 0 || left->next < 0 ||
                     left->size + e->symbols[left->next].size != pair.size;
        if (stale)
            continue;
        join(e, left, pair.id);
        memory = consider(e, left->previous, at, merge) && consider(e, at, left->next, merge);
    }
    for (int32_t i = 0; i >= 0 && (size_t)i < e->n_symbols && status == GGUF_OK && memory;
         i = e->symbols[i].next)
        status = append(e, &e->symbols[i]);
    return memory ? status : gguf_fail_memory(e->err);
}
