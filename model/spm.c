/*
 * SentencePiece: characters are merged into the pair whose token has the highest score,
 * until no pair is a token; characters without a token become their bytes.
 */
#include "model/vocab.h"

#include <string.h>

static bool starts_with_space(struct gguf_str text)
{
    return text.size >= VOCAB_SPACE_SIZE &&
           memcmp(text.data, VOCAB_SPACE, VOCAB_SPACE_SIZE) == 0;
}

/* Whether a token has a space after something else: then a merge may join two words. */
static bool joins_words(struct gguf_str text)
{
    bool other = false;
    for (size_t i = 0; i < text.size;) {
        bool space = starts_with_space((struct gguf_str){text.data + i, text.size - i});
        if (space && other)
            return true;
        other = !space;
        i += space ? VOCAB_SPACE_SIZE : 1;
    }
    return false;
}

enum gguf_status spm_load(struct tokenizer *t, const struct gguf *model, struct gguf_error *err)
{
    (void)model;
    (void)err;
    t->splits_at_spaces = true;
    for (size_t id = 0; id < t->count && t->splits_at_spaces; id++)
        t->splits_at_spaces = !joins_words(t->text[id]);
    return GGUF_OK;
}

/* The rank orders scores from high to low: the bits of a float, made to ascend. */
static uint32_t rank_of(float score)
{
    float value = score == 0 ? 0 : -score; /* one zero */
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits & 0x80000000u ? ~bits : bits | 0x80000000u;
}

static bool merge(const struct encoder *e, const struct symbol *left,
                  const struct symbol *right, int32_t *id, uint32_t *rank)
{
    struct gguf_str text = {(const char *)e->word + left->start, left->size + right->size};
    *id = vocab_find(e->t, text);
    if (*id == TOKENIZER_NONE)
        return false;
    *rank = rank_of(e->t->score[*id]);
    return true;
}

/* Bytes of the next piece: spaces and what follows up to the next space. A whole text is
 * one piece if merges may cross that. */
static size_t piece_size(const struct tokenizer *t, struct gguf_str text)
{
    size_t n = 0;
    if (!t->splits_at_spaces)
        return text.size;
    while (n < text.size && text.data[n] == ' ')
        n++;
    while (n < text.size && text.data[n] != ' ')
        n++;
    return n;
}

static enum gguf_status encode_piece(struct encoder *e, struct gguf_str piece)
{
    enum gguf_status status = GGUF_OK;
    for (size_t i = 0, n; i < piece.size && status == GGUF_OK; i += n) {
        const char *at = piece.data + i;
        const char *space = memchr(at, ' ', piece.size - i);
        n = space ? (size_t)(space - at) : piece.size - i;
        if (n > 0) {
            status = encoder_scratch(e, at, n);
        } else {
            status = encoder_scratch(e, VOCAB_SPACE, VOCAB_SPACE_SIZE);
            n = 1;
        }
    }
    if (status != GGUF_OK)
        return status;
    struct gguf_str word = {e->scratch, e->n_scratch};
    e->n_scratch = 0;
    return encoder_merge(e, word, &(const struct merge_rule){true, merge});
}

enum gguf_status spm_encode(struct encoder *e, struct gguf_str text)
{
    enum gguf_status status = GGUF_OK;
    e->n_scratch = 0;
    if (e->t->add_space_prefix)
        status = encoder_scratch(e, VOCAB_SPACE, VOCAB_SPACE_SIZE);
    for (size_t i = 0, n; i < text.size && status == GGUF_OK; i += n) {
        struct gguf_str rest = {text.data + i, text.size - i};
        n = piece_size(e->t, rest);
        status = encode_piece(e, (struct gguf_str){rest.data, n});
    }
    return status;
}
