/*
 * Merging neighbours, the core of SPM and BPE. The symbols of a word are a doubly linked
 * list in an array; pairs that may be merged wait in a heap. A merge makes at most two new
 * pairs, so a word of n symbols takes n log n, and a long one time in proportion. A pair in the
 * heap is out of date when one of its symbols has been merged since: its size tells.
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

/* The token of one byte, or the unknown token, or nothing where there is neither: some
 * vocabularies have no token for control characters. */
static enum gguf_status add_byte(struct encoder *e, unsigned char byte)
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
        status = add_byte(e, e->word[symbol->start + i]);
    return status;
}

/* Merges what can be merged in a word; e->symbols holds what is left of it. */
static enum gguf_status merge_all(struct encoder *e, struct gguf_str word,
                                  const struct merge_rule *rule)
{
    enum gguf_status status = split(e, word, rule->characters);
    if (status != GGUF_OK)
        return status;
    bool memory = reserve((void **)&e->heap, e->n_symbols, &e->heap_capacity, sizeof *e->heap);
    e->n_heap = 0;
    for (size_t i = 1; i < e->n_symbols && memory; i++)
        memory = consider(e, (int32_t)i - 1, (int32_t)i, rule->merge);
    while (e->n_heap > 0 && memory) {
        struct candidate pair = pop(e);
        int32_t at = (int32_t)(uint32_t)pair.order;
        struct symbol *left = &e->symbols[at];
        bool stale = left->size == 0 || left->next < 0 ||
                     left->size + e->symbols[left->next].size != pair.size;
        if (stale)
            continue;
        join(e, left, pair.id);
        memory = consider(e, left->previous, at, rule->merge) &&
                 consider(e, at, left->next, rule->merge);
    }
    return memory ? GGUF_OK : gguf_fail_memory(e->err);
}

/* ---- Windows --------------------------------------------------------------------- */

/*
 * A long word is merged in windows, so that memory does not grow with it:
 *
 *     word      ......|a b|c d e f g h i j| ...
 *     window          [ a b c d e f g h ]           symbols up to f are taken,
 *     next                        [ g h i j ... ]   if f and g are neighbours in the whole
 *
 * The result is that of the whole word. Symbols that are merged alone come out as s1, s2, ...
 * If each s[i] s[i+1], merged alone, comes out as those two, then so does the word: the first
 * merge across a border of the whole would happen in the pair as well, since the steps before
 * it that touch those two symbols are chosen in the same order. Inside a window this holds for
 * all neighbours (otherwise the merge would still wait there), so that the borders between
 * windows alone are looked at. Where one does not hold, windows are doubled.
 */
#define WINDOW ((size_t)1 << 17) /* bytes */

/* Bytes of the window at the start of `rest`: no character is cut in two. */
static size_t window_size(struct gguf_str rest, size_t window)
{
    if (rest.size <= window)
        return rest.size;
    size_t n = window;
    while (n > window - 3 && ((unsigned char)rest.data[n] & 0xc0) == 0x80)
        n--;
    return n;
}

/* Whether the first `size` bytes of `both` and the others stay apart. */
static enum gguf_status stay_apart(const struct encoder *e, struct gguf_str both, size_t size,
                                   const struct merge_rule *rule, bool *apart)
{
    struct encoder joint = {.t = e->t, .err = e->err};
    enum gguf_status status = merge_all(&joint, both, rule);
    const struct symbol *first = joint.symbols;
    if (status == GGUF_OK && first)
        *apart = first->size == size && first[first->next].next < 0;
    free(joint.symbols);
    free(joint.heap);
    return status;
}

/* Appends the symbols that start before `limit`; the bytes of all, and of the last one. */
static enum gguf_status take(struct encoder *e, size_t limit, size_t *bytes, size_t *last)
{
    enum gguf_status status = GGUF_OK;
    *bytes = 0;
    for (int32_t i = 0; i >= 0 && *bytes < limit && status == GGUF_OK; i = e->symbols[i].next) {
        status = append(e, &e->symbols[i]);
        *last = e->symbols[i].size;
        *bytes += *last;
    }
    return status;
}

/* `*fits` is false where a border between windows does not hold. */
static enum gguf_status merge_windows(struct encoder *e, struct gguf_str word,
                                      const struct merge_rule *rule, size_t window, bool *fits)
{
    size_t at = 0, last = 0, taken;
    *fits = true;
    for (; at < word.size; at += taken) {
        struct gguf_str rest = {word.data + at, word.size - at};
        rest.size = window_size(rest, window);
        enum gguf_status status = merge_all(e, rest, rule);
        if (status == GGUF_OK && at > 0) {
            struct gguf_str both = {rest.data - last, last + e->symbols[0].size};
            status = stay_apart(e, both, last, rule, fits);
        }
        if (status != GGUF_OK || !*fits)
            return status;
        bool is_end = at + rest.size == word.size;
        status = take(e, is_end ? rest.size : rest.size - rest.size / 8, &taken, &last);
        if (status != GGUF_OK)
            return status;
    }
    return GGUF_OK;
}

enum gguf_status encoder_merge(struct encoder *e, struct gguf_str word,
                               const struct merge_rule *rule)
{
    size_t count = e->list->count;
    for (size_t window = WINDOW;; window *= 2) {
        bool fits;
        enum gguf_status status = merge_windows(e, word, rule, window, &fits);
        if (status != GGUF_OK || fits)
            return status;
        e->list->count = count;
    }
}
