/*
 * Text to tokens and back, by the vocabulary that a model file carries (tokenizer.ggml.*):
 * SentencePiece ("llama"), byte-level BPE ("gpt2") and WordPiece ("bert"). The conventions
 * of libgguf/gguf.h hold here too.
 */
#ifndef MODEL_TOKENIZER_H
#define MODEL_TOKENIZER_H

#include "libgguf/gguf.h"

#ifdef __cplusplus
extern "C" {
#endif
#if defined(__GNUC__) /* the library hides everything else */
#pragma GCC visibility push(default)
#endif

struct tokenizer;

#define TOKENIZER_NONE (-1) /* instead of an id: the vocabulary has no such token */

/*
 * Reads the vocabulary. `model` must stay open as long as the tokenizer, whose texts are
 * views of its metadata. On failure *out is NULL. Errors: GGUF_ERR_UNSUPPORTED (no
 * vocabulary, a kind or a pre-tokenizer that is not known), GGUF_ERR_CORRUPT (an array that
 * is missing, of another type or length, a merge without a space, a score that is no
 * number), GGUF_ERR_MEMORY. Time is n log n in the vocabulary.
 */
enum gguf_status tokenizer_open(struct tokenizer **out, const struct gguf *model,
                                struct gguf_error *err);
void tokenizer_close(struct tokenizer *tokenizer);

/* "SPM", "BPE" or "WPM"; and the pre-tokenizer of BPE ("llama-bpe"), otherwise "". */
const char *tokenizer_kind(const struct tokenizer *tokenizer);
const char *tokenizer_pre(const struct tokenizer *tokenizer);

/* Tokens in the vocabulary: ids are 0 to count - 1. */
size_t tokenizer_count(const struct tokenizer *tokenizer);

/* The stored text of a token, as the vocabulary spells it; empty for an id out of range. */
struct gguf_str tokenizer_token(const struct tokenizer *tokenizer, int32_t id);

enum tokenizer_special {
    TOKENIZER_BOS, /* begins a text ([CLS] of WordPiece) */
    TOKENIZER_EOS, /* ends a text ([SEP] of WordPiece) */
    TOKENIZER_EOT, /* ends a turn */
    TOKENIZER_EOM, /* ends a message */
    TOKENIZER_UNK  /* stands for what has no token */
};

/* TOKENIZER_NONE where the file names none, or one that does not exist. */
int32_t tokenizer_special(const struct tokenizer *tokenizer, enum tokenizer_special which);

/* Whether the model wants BOS before, or EOS after, every text. */
bool tokenizer_adds_bos(const struct tokenizer *tokenizer);
bool tokenizer_adds_eos(const struct tokenizer *tokenizer);

/* Whether a generation ends with this token: EOS, EOT, EOM, or one with such a name. */
bool tokenizer_is_end(const struct tokenizer *tokenizer, int32_t id);

/* An array of ids that grows; starts as {0}. */
struct token_list {
    int32_t *ids;
    size_t count, capacity;
};
bool token_list_add(struct token_list *list, int32_t id); /* false without memory */
void token_list_free(struct token_list *list);            /* and it may be used again */

enum tokenizer_flags {
    TOKENIZER_ADD_SPECIAL = 1,  /* BOS and EOS where the model wants them */
    TOKENIZER_PARSE_SPECIAL = 2 /* "<s>" in the text is the token, not three characters */
};

/*
 * Appends the tokens of `text` to `list`. The text may have any content: what is not UTF-8
 * is encoded byte by byte (WordPiece: left out). A byte for which the vocabulary has neither
 * a token nor an unknown token is left out, as the engines do. User-defined tokens are found
 * in the text whatever the flags, longest first from left to right. Threads may use one
 * tokenizer at once. Time is n log n in the text; memory beside `list` is a few megabytes, and
 * for SentencePiece a copy of a piece. On failure `list` holds what was encoded
 * so far. Errors: GGUF_ERR_UNSUPPORTED (a piece over 2 GiB, or one on which the pattern of
 * the pre-tokenizer gives up), GGUF_ERR_CORRUPT (BOS or EOS is wanted and there is none),
 * GGUF_ERR_MEMORY.
 */
enum gguf_status tokenizer_encode(const struct tokenizer *tokenizer, struct gguf_str text,
                                  unsigned flags, struct token_list *list,
                                  struct gguf_error *err);

/*
 * Copies the text that a token stands for (spaces and bytes as such) into `out`, at most
 * `size` bytes, not terminated. Returns the bytes of the whole text, which may be more. A
 * control token is "" unless flags has TOKENIZER_PARSE_SPECIAL. `out` may be NULL if size is 0.
 */
size_t tokenizer_piece(const struct tokenizer *tokenizer, int32_t id, unsigned flags, char *out,
                       size_t size);

/*
 * The text of `count` ids, without the space that encoding puts in front. *text is for the
 * caller to free, terminated by a NUL that *size does not count. Errors: GGUF_ERR_ARGUMENT
 * (an id that does not exist), GGUF_ERR_MEMORY.
 */
enum gguf_status tokenizer_decode(const struct tokenizer *tokenizer, const int32_t *ids,
                                  size_t count, unsigned flags, char **text, size_t *size,
                                  struct gguf_error *err);

#if defined(__GNUC__)
#pragma GCC visibility pop
#endif
#ifdef __cplusplus
}
#endif
#endif
