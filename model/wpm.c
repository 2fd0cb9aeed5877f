/*
 * WordPiece, with the normalizer of BERT: control characters are dropped, accents stripped,
 * letters made small; white space parts words, punctuation and Chinese characters are words
 * of their own. A word is covered by the longest tokens from left to right, or unknown.
 */
#include "libgguf/utf8.h"
#include "model/vocab.h"

#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

struct wpm {
    bool lowercase, strip_accents;
    struct prefix_set tokens;
};

enum char_class { CHAR_LETTER, CHAR_SPACE, CHAR_ALONE, CHAR_DROPPED };

enum gguf_status wpm_load(struct tokenizer *t, const struct gguf *model, struct gguf_error *err)
{
    struct wpm *wpm = t->wpm = calloc(1, sizeof *wpm);
    if (!wpm)
        return gguf_fail_memory(err);
    wpm->lowercase = true;
    gguf_get_bool(model, "tokenizer.ggml.normalizer.lowercase", &wpm->lowercase);
    wpm->strip_accents = wpm->lowercase;
    gguf_get_bool(model, "tokenizer.ggml.normalizer.strip_accents", &wpm->strip_accents);
    wpm->tokens.items = malloc(t->count * sizeof *wpm->tokens.items);
    if (!wpm->tokens.items)
        return gguf_fail_memory(err);
    for (size_t id = 0; id < t->count; id++) {
        if (t->text[id].size && t->text[id].size <= PREFIX_MAX)
            wpm->tokens.items[wpm->tokens.count++] = (struct prefix){t->text[id], (int32_t)id};
    }
    prefix_set_sort(&wpm->tokens);
    return GGUF_OK;
}

void wpm_free(struct tokenizer *t)
{
    if (t->wpm)
        free(t->wpm->tokens.items);
    free(t->wpm);
}

static bool in_ranges(uint32_t c, const uint32_t (*range)[2], size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (c >= range[i][0] && c <= range[i][1])
            return true;
    }
    return false;
}

/* CJK ideographs, as BERT's normalizer counts them. */
static bool is_chinese(uint32_t c)
{
    static const uint32_t ranges[][2] = {
        {0x4e00, 0x9fff},   {0x3400, 0x4dbf},   {0x20000, 0x2a6df}, {0x2a700, 0x2b73f},
        {0x2b740, 0x2b81f}, {0x2b920, 0x2ceaf}, {0xf900, 0xfaff},   {0x2f800, 0x2fa1f},
    };
    return in_ranges(c, ranges, sizeof ranges / sizeof ranges[0]);
}

static enum char_class class_of(uint32_t c, bool strip_accents)
{
    utf8proc_category_t category = utf8proc_category((utf8proc_int32_t)c);
    switch (category) {
    case UTF8PROC_CATEGORY_ZS:
    case UTF8PROC_CATEGORY_ZL:
    case UTF8PROC_CATEGORY_ZP:
        return CHAR_SPACE;
    case UTF8PROC_CATEGORY_CC:
        return (c >= 9 && c <= 13) || c == 0x85 ? CHAR_SPACE : CHAR_DROPPED;
    case UTF8PROC_CATEGORY_CN:
    case UTF8PROC_CATEGORY_CF:
    case UTF8PROC_CATEGORY_CS:
    case UTF8PROC_CATEGORY_CO:
        return CHAR_DROPPED;
    case UTF8PROC_CATEGORY_MN:
    case UTF8PROC_CATEGORY_MC:
    case UTF8PROC_CATEGORY_ME:
        return strip_accents ? CHAR_DROPPED : CHAR_LETTER;
    default:
        break;
    }
    bool punctuation = category >= UTF8PROC_CATEGORY_PC && category <= UTF8PROC_CATEGORY_PO;
    bool symbol = category >= UTF8PROC_CATEGORY_SM && category <= UTF8PROC_CATEGORY_SO;
    if (c == 0xfffd)
        return CHAR_DROPPED;
    return punctuation || (symbol && c < 0x7f) || is_chinese(c) ? CHAR_ALONE : CHAR_LETTER;
}

/* Covers the word in the scratch text, which begins with the mark of a word's start. */
static enum gguf_status end_word(struct encoder *e)
{
    struct gguf_str rest = {e->scratch, e->n_scratch};
    size_t before = e->list->count;
    enum gguf_status status = GGUF_OK;
    if (rest.size <= VOCAB_SPACE_SIZE)
        return GGUF_OK;
    e->n_scratch = VOCAB_SPACE_SIZE;
    while (rest.size > 0 && status == GGUF_OK) {
        const struct prefix *token = prefix_set_longest(&e->t->wpm->tokens, rest);
        if (!token)
            break;
        status = encoder_add(e, token->id);
        rest.data += token->text.size;
        rest.size -= token->text.size;
    }
    if (rest.size == 0 || status != GGUF_OK)
        return status;
    e->list->count = before;
    int32_t unknown = e->t->special[TOKENIZER_UNK];
    return unknown == TOKENIZER_NONE ? GGUF_OK : encoder_add(e, unknown);
}

static enum gguf_status add_char(struct encoder *e, uint32_t c)
{
    const struct wpm *wpm = e->t->wpm;
    utf8proc_uint8_t text[4];
    enum char_class class = class_of(c, wpm->strip_accents);
    enum gguf_status status = GGUF_OK;
    if (class == CHAR_DROPPED)
        return GGUF_OK;
    if (class != CHAR_LETTER)
        status = end_word(e);
    if (class == CHAR_SPACE || status != GGUF_OK)
        return status;
    utf8proc_int32_t lower =
        wpm->lowercase ? utf8proc_tolower((utf8proc_int32_t)c) : (utf8proc_int32_t)c;
    utf8proc_ssize_t n = utf8proc_encode_char(lower, text);
    status = encoder_scratch(e, (const char *)text, (size_t)n);
    return status == GGUF_OK && class == CHAR_ALONE ? end_word(e) : status;
}

/* A character, taken apart (NFD) where accents are stripped. */
static enum gguf_status normalize(struct encoder *e, uint32_t c)
{
    utf8proc_int32_t parts[32];
    int boundary = UTF8PROC_BOUNDCLASS_START;
    utf8proc_ssize_t n = 0;
    if (e->t->wpm->strip_accents)
        n = utf8proc_decompose_char((utf8proc_int32_t)c, parts, 32, UTF8PROC_DECOMPOSE,
                                    &boundary);
    if (n <= 0 || n > 32)
        return add_char(e, c);
    enum gguf_status status = GGUF_OK;
    for (utf8proc_ssize_t i = 0; i < n && status == GGUF_OK; i++)
        status = add_char(e, (uint32_t)parts[i]);
    return status;
}

/* Bytes that are not UTF-8 are dropped, as the replacement character would be. */
enum gguf_status wpm_encode(struct encoder *e, struct gguf_str text)
{
    e->n_scratch = 0;
    enum gguf_status status = encoder_scratch(e, VOCAB_SPACE, VOCAB_SPACE_SIZE);
    for (size_t i = 0, n; i < text.size && status == GGUF_OK; i += n ? n : 1) {
        uint32_t code;
        n = gguf_utf8_decode((const unsigned char *)text.data + i, text.size - i, &code);
        if (n)
            status = normalize(e, code);
    }
    if (status == GGUF_OK)
        status = end_word(e);
    e->n_scratch = 0;
    return status;
}
