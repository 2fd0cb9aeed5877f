/* Encoding around special tokens, and decoding: what all kinds of vocabularies share. */
#include "libgguf/utf8.h"
#include "model/vocab.h"

#include <stdlib.h>
#include <string.h>

/* ---- Encoding ------------------------------------------------------------------- */

/* Bytes before the next mark, which is NULL at the end of the text: a user-defined token, or
 * with parse_special any special one. */
static size_t find_mark(const struct tokenizer *t, struct gguf_str text, bool parse_special,
                        const struct prefix **mark)
{
    const struct prefix_set *set = parse_special ? &t->marks : &t->user_marks;
    size_t i = 0;
    *mark = NULL;
    if (set->count == 0)
        return text.size;
    for (; i < text.size && !*mark; i++)
        *mark = prefix_set_longest(set, (struct gguf_str){text.data + i, text.size - i});
    return *mark ? i - 1 : i;
}

static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

/* Bytes of the mark, and of the white space after it that belongs to it. */
static size_t mark_size(const struct tokenizer *t, const struct prefix *mark,
                        struct gguf_str text)
{
    size_t n = mark->text.size;
    bool strips = t->strip_after && mark->id != t->special[TOKENIZER_UNK] &&
                  mark->id != t->special[TOKENIZER_BOS] &&
                  mark->id != t->special[TOKENIZER_EOS];
    while (strips && n < text.size && is_space(text.data[n]))
        n++;
    return n;
}

/* Text and special tokens in turn: a text begins the whole or follows a special token. */
static enum gguf_status encode_all(struct encoder *e, struct gguf_str text, bool parse_special)
{
    enum gguf_status status = GGUF_OK;
    while (text.size > 0 && status == GGUF_OK) {
        const struct prefix *mark;
        size_t n = find_mark(e->t, text, parse_special, &mark);
        if (n > 0)
            status = e->t->kind->encode(e, (struct gguf_str){text.data, n});
        text.data += n;
        text.size -= n;
        if (status != GGUF_OK || !mark)
            break;
        status = encoder_add(e, mark->id);
        n = mark_size(e->t, mark, text);
        text.data += n;
        text.size -= n;
    }
    return status;
}

static enum gguf_status add_special(struct encoder *e, enum tokenizer_special which,
                                    const char *name)
{
    int32_t id = e->t->special[which];
    if (id != TOKENIZER_NONE)
        return encoder_add(e, id);
    return gguf_fail(
        e->err, GGUF_ERR_CORRUPT, GGUF_NO_OFFSET,
        "tokenizer.ggml.add_%s_token is set, and tokenizer.ggml.%s_token_id names no "
        "token of the vocabulary",
        name, name);
}

enum gguf_status tokenizer_encode(const struct tokenizer *t, struct gguf_str text,
                                  unsigned flags, struct token_list *list,
                                  struct gguf_error *err)
{
    struct encoder e = {.t = t, .list = list, .err = err};
    enum gguf_status status = GGUF_OK;
    if ((flags & TOKENIZER_ADD_SPECIAL) && t->add_bos)
        status = add_special(&e, TOKENIZER_BOS, "bos");
    if (status == GGUF_OK)
        status = encode_all(&e, text, flags & TOKENIZER_PARSE_SPECIAL);
    if (status == GGUF_OK && (flags & TOKENIZER_ADD_SPECIAL) && t->add_eos)
        status = add_special(&e, TOKENIZER_EOS, "eos");
    bpe_match_free(e.match);
    free(e.symbols);
    free(e.heap);
    free(e.scratch);
    return status;
}

/* ---- Decoding ------------------------------------------------------------------- */

/* Bytes that are counted, and kept as far as they fit. */
struct sink {
    char *out;
    size_t room, size;
};

static void put(struct sink *sink, const char *bytes, size_t size)
{
    if (sink->size < sink->room) {
        size_t fits = sink->room - sink->size;
        memcpy(sink->out + sink->size, bytes, size < fits ? size : fits);
    }
    sink->size += size;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 32;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* "<0x0A>" or the byte itself; false if the text is neither. */
static bool byte_of(struct gguf_str text, char *byte)
{
    if (text.size == 1) {
        *byte = text.data[0];
        return true;
    }
    if (text.size != 6 || memcmp(text.data, "<0x", 3) != 0)
        return false;
    int high = hex_digit(text.data[3]), low = hex_digit(text.data[4]);
    *byte = (char)(high * 16 + low);
    return high >= 0 && low >= 0;
}

static void put_spaced(struct sink *sink, struct gguf_str text)
{
    for (size_t i = 0; i < text.size;) {
        bool space = text.size - i >= VOCAB_SPACE_SIZE &&
                     memcmp(text.data + i, VOCAB_SPACE, VOCAB_SPACE_SIZE) == 0;
        put(sink, space ? " " : text.data + i, 1);
        i += space ? VOCAB_SPACE_SIZE : 1;
    }
}

/* Characters that stand for no byte are copied. */
static void put_byte_level(struct sink *sink, struct gguf_str text)
{
    for (size_t i = 0, n; i < text.size; i += n) {
        uint32_t code = 0;
        n = gguf_utf8_decode((const unsigned char *)text.data + i, text.size - i, &code);
        int byte = n ? bpe_byte_of(code) : -1;
        char c = (char)byte;
        if (byte >= 0)
            put(sink, &c, 1);
        else
            put(sink, text.data + i, n ? n : 1);
        n = n ? n : 1;
    }
}

static void put_token(const struct tokenizer *t, int32_t id, unsigned flags, struct sink *sink)
{
    struct gguf_str text = tokenizer_token(t, id);
    uint8_t type = text.size ? t->type[id] : TOKEN_NORMAL;
    char byte;
    if (type == TOKEN_CONTROL || type == TOKEN_UNKNOWN) {
        if (flags & TOKENIZER_PARSE_SPECIAL)
            put(sink, text.data, text.size);
    } else if (type == TOKEN_USER_DEFINED) {
        put(sink, text.data, text.size);
    } else if (type == TOKEN_BYTE && byte_of(text, &byte)) {
        put(sink, &byte, 1);
    } else if (t->bpe) {
        put_byte_level(sink, text);
    } else {
        put_spaced(sink, text);
    }
}

size_t tokenizer_piece(const struct tokenizer *t, int32_t id, unsigned flags, char *out,
                       size_t size)
{
    struct sink sink = {out, size, 0};
    put_token(t, id, flags, &sink);
    return sink.size;
}

/* Whether decoding starts with a space that encoding has put there. */
static bool has_added_space(const struct tokenizer *t, const char *text, size_t size)
{
    return size > 0 && text[0] == ' ' && !t->bpe && (t->add_space_prefix || t->wpm);
}

enum gguf_status tokenizer_decode(const struct tokenizer *t, const int32_t *ids, size_t count,
                                  unsigned flags, char **text, size_t *size,
                                  struct gguf_error *err)
{
    struct sink measure = {NULL, 0, 0};
    for (size_t i = 0; i < count; i++) {
        if (ids[i] < 0 || (size_t)ids[i] >= t->count)
            return gguf_fail(err, GGUF_ERR_ARGUMENT, GGUF_NO_OFFSET,
                             "token %zu is %d; the vocabulary has %zu", i, ids[i], t->count);
        put_token(t, ids[i], flags, &measure);
    }
    struct sink sink = {calloc(measure.size + 1, 1), measure.size, 0};
    if (!sink.out)
        return gguf_fail_memory(err);
    for (size_t i = 0; i < count; i++)
        put_token(t, ids[i], flags, &sink);
    bool added = has_added_space(t, sink.out, sink.size);
    *size = sink.size - added;
    memmove(sink.out, sink.out + added, *size);
    sink.out[*size] = '\0';
    *text = sink.out;
    return GGUF_OK;
}
