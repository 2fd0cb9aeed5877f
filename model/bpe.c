/*
 * Byte-level BPE: patterns cut the text into words, the bytes of a word are merged in the
 * order of the list of merges. A vocabulary spells bytes as characters that can be printed
 * ("Ġ" is a space), so that text and tokens are compared by byte and not by character.
 */
#define PCRE2_CODE_UNIT_WIDTH 8
#include "libgguf/utf8.h"
#include "model/vocab.h"

#include <pcre2.h>
#include <stdlib.h>
#include <string.h>

struct pair {
    int32_t left, right; /* tokens; left is TOKENIZER_NONE in an empty place */
    int32_t id;          /* of the merged token */
    uint32_t rank;
};

struct bpe {
    const struct pre_tokenizer *pre;
    pcre2_code *code[PRE_PATTERNS];
    size_t n_code;
    struct pair *pairs; /* hash table */
    size_t capacity;    /* a power of two */
    size_t longest;     /* bytes of the longest token */
};

struct bpe_match {
    pcre2_match_data *data;
    pcre2_match_context *context;
    pcre2_jit_stack *stack;
};

#define JIT_STACK_LEAST (32 * 1024)
#define JIT_STACK_MOST  (64 * 1024 * 1024)

/* ---- Bytes as characters -------------------------------------------------------- */

/* Printable bytes of Latin-1 stand for themselves; the others, in order, for U+0100 on. */
static bool stands_for_itself(unsigned byte)
{
    return (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae;
}

static uint32_t code_of(unsigned byte)
{
    if (stands_for_itself(byte))
        return byte;
    uint32_t code = 0x100;
    for (unsigned b = 0; b < byte; b++)
        code += !stands_for_itself(b);
    return code;
}

int bpe_byte_of(uint32_t code)
{
    if (code < 0x100)
        return stands_for_itself(code) ? (int)code : -1;
    for (unsigned byte = 0; byte < 256; byte++) {
        if (!stands_for_itself(byte) && code-- == 0x100)
            return (int)byte;
    }
    return -1;
}

/* The character of a byte as UTF-8: one or two bytes. */
static size_t spell(unsigned byte, char out[2])
{
    uint32_t code = code_of(byte);
    if (code < 0x80) {
        out[0] = (char)code;
        return 1;
    }
    out[0] = (char)(0xc0 | code >> 6);
    out[1] = (char)(0x80 | (code & 0x3f));
    return 2;
}

static void load_bytes(struct tokenizer *t)
{
    for (unsigned byte = 0; byte < 256; byte++) {
        char text[2];
        size_t n = spell(byte, text);
        t->byte_token[byte] = vocab_find(t, (struct gguf_str){text, n});
    }
}

/* ---- Merges --------------------------------------------------------------------- */

/* The place of a pair, or the empty one where it belongs. The address is part of the hash:
 * collisions cannot be prepared in a file. */
static struct pair *find_pair(const struct bpe *bpe, int32_t left, int32_t right)
{
    uint64_t key = (uint64_t)(uint32_t)left << 32 | (uint32_t)right;
    uint64_t hash = (key ^ (uintptr_t)bpe->pairs) * 0x9e3779b97f4a7c15u;
    hash = (hash ^ hash >> 32) * 0xd6e8feb86659fd93u;
    size_t i = (size_t)(hash ^ hash >> 32) & (bpe->capacity - 1);
    while (bpe->pairs[i].left != TOKENIZER_NONE &&
           (bpe->pairs[i].left != left || bpe->pairs[i].right != right))
        i = (i + 1) & (bpe->capacity - 1);
    return &bpe->pairs[i];
}

static bool merge(const struct encoder *e, const struct symbol *left,
                  const struct symbol *right, int32_t *id, uint32_t *rank)
{
    if (left->id == TOKENIZER_NONE || right->id == TOKENIZER_NONE)
        return false;
    const struct pair *pair = find_pair(e->t->bpe, left->id, right->id);
    *id = pair->id;
    *rank = pair->rank;
    return pair->left != TOKENIZER_NONE;
}

/* "Ġ t": a merge of two tokens into a third. One that names something that is no token can
 * never be applied and is left out; of equal pairs the first counts. */
static enum gguf_status add_merge(struct tokenizer *t, struct gguf_str text, uint32_t rank,
                                  char *joined, struct gguf_error *err)
{
    const char *space = text.size > 2 ? memchr(text.data + 1, ' ', text.size - 2) : NULL;
    if (!space)
        return gguf_fail(err, GGUF_ERR_CORRUPT, GGUF_NO_OFFSET,
                         "tokenizer.ggml.merges[%u]: expected two tokens with a space between, "
                         "found \"%s\"",
                         rank, gguf_text(text).text);
    size_t n = (size_t)(space - text.data);
    memcpy(joined, text.data, n);
    memcpy(joined + n, space + 1, text.size - n - 1);
    int32_t left = vocab_find(t, (struct gguf_str){joined, n});
    int32_t right = vocab_find(t, (struct gguf_str){joined + n, text.size - n - 1});
    int32_t id = vocab_find(t, (struct gguf_str){joined, text.size - 1});
    if (left == TOKENIZER_NONE || right == TOKENIZER_NONE || id == TOKENIZER_NONE)
        return GGUF_OK;
    struct pair *pair = find_pair(t->bpe, left, right);
    if (pair->left == TOKENIZER_NONE)
        *pair = (struct pair){left, right, id, rank};
    return GGUF_OK;
}

static size_t longest_item(struct gguf_value array)
{
    size_t longest = 0;
    struct gguf_iter it = gguf_items(array);
    struct gguf_str text;
    for (struct gguf_value item; gguf_next(&it, &item);) {
        if (gguf_value_string(item, &text) && text.size > longest)
            longest = text.size;
    }
    return longest;
}

static enum gguf_status make_pairs(struct bpe *bpe, size_t count, struct gguf_error *err)
{
    bpe->capacity = 64;
    while (bpe->capacity < count + count / 2)
        bpe->capacity *= 2;
    bpe->pairs = malloc(bpe->capacity * sizeof *bpe->pairs);
    if (!bpe->pairs)
        return gguf_fail_memory(err);
    for (size_t i = 0; i < bpe->capacity; i++)
        bpe->pairs[i].left = TOKENIZER_NONE;
    return GGUF_OK;
}

static enum gguf_status load_merges(struct tokenizer *t, const struct gguf *model,
                                    struct gguf_error *err)
{
    struct gguf_value array, item;
    if (!gguf_get_array(model, "tokenizer.ggml.merges", GGUF_VALUE_STRING, &array))
        return gguf_fail(err, GGUF_ERR_CORRUPT, GGUF_NO_OFFSET,
                         "tokenizer.ggml.merges: expected an array of strings, found %s",
                         gguf_kv_find(model, "tokenizer.ggml.merges") ? "something else"
                                                                      : "no such key");
    if (array.count > UINT32_MAX / 2)
        return gguf_fail(err, GGUF_ERR_CORRUPT, GGUF_NO_OFFSET,
                         "tokenizer.ggml.merges: more than 2147483647 merges");
    char *joined = malloc(longest_item(array) + 1);
    if (!joined)
        return gguf_fail_memory(err);
    enum gguf_status status = make_pairs(t->bpe, (size_t)array.count, err);
    struct gguf_iter it = gguf_items(array);
    for (uint32_t rank = 0; status == GGUF_OK && gguf_next(&it, &item); rank++) {
        struct gguf_str text = {"", 0};
        gguf_value_string(item, &text);
        status = add_merge(t, text, rank, joined, err);
    }
    free(joined);
    return status;
}

/* ---- Patterns ------------------------------------------------------------------- */

static enum gguf_status find_pre(struct bpe *bpe, const struct gguf *model,
                                 struct gguf_error *err)
{
    struct gguf_str name = {"default", 7};
    gguf_get_string(model, "tokenizer.ggml.pre", &name);
    bpe->pre = pre_tokenizer_find(name);
    if (!bpe->pre)
        return gguf_fail(
            err, GGUF_ERR_UNSUPPORTED, GGUF_NO_OFFSET,
            "tokenizer.ggml.pre: the pre-tokenizer \"%s\" is not known; a file may "
            "be given another with gguf-quant --override-kv",
            gguf_text(name).text);
    return GGUF_OK;
}

static enum gguf_status compile(struct bpe *bpe, struct gguf_error *err)
{
    for (const char *const *pattern = bpe->pre->patterns; *pattern; pattern++) {
        int number;
        PCRE2_SIZE at;
        pcre2_code *code = pcre2_compile((PCRE2_SPTR)*pattern, PCRE2_ZERO_TERMINATED,
                                         PCRE2_UTF | PCRE2_UCP, &number, &at, NULL);
        if (!code)
            return gguf_fail(
                err, GGUF_ERR_UNSUPPORTED, GGUF_NO_OFFSET,
                "PCRE2 refuses a pattern of the pre-tokenizer %s at %zu (error %d)",
                bpe->pre->name, at, number);
        pcre2_jit_compile(code, PCRE2_JIT_COMPLETE); /* without JIT it is interpreted */
        bpe->code[bpe->n_code++] = code;
    }
    return GGUF_OK;
}

enum gguf_status bpe_load(struct tokenizer *t, const struct gguf *model, struct gguf_error *err)
{
    t->bpe = calloc(1, sizeof *t->bpe);
    if (!t->bpe)
        return gguf_fail_memory(err);
    load_bytes(t);
    for (size_t id = 0; id < t->count; id++) {
        if (t->text[id].size > t->bpe->longest)
            t->bpe->longest = t->text[id].size;
    }
    enum gguf_status status = find_pre(t->bpe, model, err);
    if (status == GGUF_OK && !gguf_kv_find(model, "tokenizer.ggml.add_bos_token"))
        t->add_bos = t->bpe->pre->add_bos;
    if (status == GGUF_OK)
        status = load_merges(t, model, err);
    return status == GGUF_OK ? compile(t->bpe, err) : status;
}

void bpe_free(struct tokenizer *t)
{
    if (!t->bpe)
        return;
    for (size_t i = 0; i < t->bpe->n_code; i++)
        pcre2_code_free(t->bpe->code[i]);
    free(t->bpe->pairs);
    free(t->bpe);
}

const char *bpe_pre(const struct tokenizer *t)
{
    return t->bpe->pre->name;
}

/* ---- Encoding ------------------------------------------------------------------- */

void bpe_match_free(struct bpe_match *match)
{
    if (!match)
        return;
    pcre2_match_data_free(match->data);
    pcre2_match_context_free(match->context);
    pcre2_jit_stack_free(match->stack);
    free(match);
}

static enum gguf_status make_match(struct encoder *e)
{
    struct bpe_match *m = e->match = calloc(1, sizeof *m);
    if (!m)
        return gguf_fail_memory(e->err);
    m->data = pcre2_match_data_create(1, NULL);
    m->context = pcre2_match_context_create(NULL);
    m->stack = pcre2_jit_stack_create(JIT_STACK_LEAST, JIT_STACK_MOST, NULL);
    if (!m->data || !m->context)
        return gguf_fail_memory(e->err);
    pcre2_jit_stack_assign(m->context, NULL, m->stack);
    return GGUF_OK;
}

/* The token that the word is as a whole. */
static int32_t whole_word(struct encoder *e, struct gguf_str word)
{
    e->n_scratch = 0;
    for (size_t i = 0; i < word.size; i++) {
        char text[2];
        if (encoder_scratch(e, text, spell((unsigned char)word.data[i], text)) != GGUF_OK)
            return TOKENIZER_NONE;
    }
    return vocab_find(e->t, (struct gguf_str){e->scratch, e->n_scratch});
}

static enum gguf_status encode_word(struct encoder *e, struct gguf_str word)
{
    const struct bpe *bpe = e->t->bpe;
    if (bpe->pre->ignore_merges && word.size <= bpe->longest) {
        int32_t id = whole_word(e, word);
        if (id != TOKENIZER_NONE)
            return encoder_add(e, id);
    }
    return encoder_merge(e, word, &(const struct merge_rule){false, merge});
}

/* The next match of a pattern from `from` on; size 0 at the end where there is none. */
static enum gguf_status next_match(struct encoder *e, size_t level, struct gguf_str text,
                                   size_t from, struct gguf_str *match)
{
    int n = pcre2_match(e->t->bpe->code[level], (PCRE2_SPTR)text.data, text.size, from,
                        PCRE2_NO_UTF_CHECK, e->match->data, e->match->context);
    *match = (struct gguf_str){text.data + text.size, 0};
    if (n == PCRE2_ERROR_NOMATCH)
        return GGUF_OK;
    if (n < 0)
        return gguf_fail(
            e->err, n == PCRE2_ERROR_NOMEMORY ? GGUF_ERR_MEMORY : GGUF_ERR_UNSUPPORTED,
            GGUF_NO_OFFSET,
            "the pattern of the pre-tokenizer %s gives up on a piece of %zu bytes of "
            "the text (PCRE2 error %d)",
            e->t->bpe->pre->name, text.size, n);
    const PCRE2_SIZE *at = pcre2_get_ovector_pointer(e->match->data);
    *match = (struct gguf_str){text.data + at[0], at[1] - at[0]};
    return GGUF_OK;
}

/* Cuts by the pattern `level`, each piece by the next one, and encodes what is left whole. */
static enum gguf_status cut(struct encoder *e, size_t level, struct gguf_str text)
{
    if (level == e->t->bpe->n_code)
        return encode_word(e, text);
    enum gguf_status status = GGUF_OK;
    for (size_t at = 0; at < text.size && status == GGUF_OK;) {
        struct gguf_str match;
        status = next_match(e, level, text, at, &match);
        size_t start = (size_t)(match.data - text.data);
        if (status == GGUF_OK && start > at)
            status = cut(e, level + 1, (struct gguf_str){text.data + at, start - at});
        if (status == GGUF_OK && match.size)
            status = cut(e, level + 1, match);
        at = start + match.size;
    }
    return status;
}

/* Bytes at the start that are UTF-8 (valid), or that are not. */
static size_t run(struct gguf_str text, bool valid)
{
    size_t i = 0;
    while (i < text.size) {
        uint32_t code;
        size_t n = gguf_utf8_decode((const unsigned char *)text.data + i, text.size - i, &code);
        if ((n != 0) != valid)
            break;
        i += n ? n : 1;
    }
    return i;
}

enum gguf_status bpe_encode(struct encoder *e, struct gguf_str text)
{
    enum gguf_status status = e->match ? GGUF_OK : make_match(e);
    for (size_t i = 0; i < text.size && status == GGUF_OK;) {
        struct gguf_str rest = {text.data + i, text.size - i};
        size_t n = rest.size = run(rest, true);
        if (n)
            status = cut(e, 0, rest);
        rest = (struct gguf_str){text.data + i + n, text.size - i - n};
        rest.size = run(rest, false);
        if (rest.size && status == GGUF_OK)
            status = encode_word(e, rest);
        i += n + rest.size;
    }
    return status;
}
