/* What the tokenizers share: the vocabulary, look-ups by text, and merging of pairs. */
#ifndef MODEL_VOCAB_H
#define MODEL_VOCAB_H

#include "libgguf/error.h"
#include "model/tokenizer.h"

#define VOCAB_SPACE      "\xe2\x96\x81" /* U+2581, a space in SentencePiece and WordPiece */
#define VOCAB_SPACE_SIZE 3

/* tokenizer.ggml.token_type */
enum token_type {
    TOKEN_NORMAL = 1,
    TOKEN_UNKNOWN = 2,
    TOKEN_CONTROL = 3,
    TOKEN_USER_DEFINED = 4,
    TOKEN_UNUSED = 5,
    TOKEN_BYTE = 6
};

/* Texts sorted by their bytes, to find the longest one that starts somewhere. */
struct prefix {
    struct gguf_str text;
    int32_t id;
};
struct prefix_set {
    struct prefix *items;
    size_t count;
    size_t first[257]; /* items that start with byte b: first[b] to first[b + 1] - 1 */
};

/* Longer texts are left out of a set, so that a search takes bounded time. */
#define PREFIX_MAX 1024

/* Sorts what the caller has put into items. */
void prefix_set_sort(struct prefix_set *set);
/* The longest text that `at` begins with; NULL if there is none. */
const struct prefix *prefix_set_longest(const struct prefix_set *set, struct gguf_str at);

struct encoder;

/* What differs between the kinds of vocabularies. */
struct vocab_kind {
    const char *model; /* tokenizer.ggml.model */
    const char *name;
    int32_t bos, eos, unk; /* where the file names none */
    bool add_bos, add_space_prefix;
    bool needs_scores;
    enum gguf_status (*load)(struct tokenizer *, const struct gguf *, struct gguf_error *);
    void (*free)(struct tokenizer *);
    /* Appends the tokens of a text without special tokens in it. */
    enum gguf_status (*encode)(struct encoder *, struct gguf_str text);
};

struct tokenizer {
    const struct vocab_kind *kind;
    size_t count;
    struct gguf_str *text; /* [count], views of the metadata */
    float *score;          /* [count]; NULL without scores */
    uint8_t *type;         /* [count], enum token_type */
    int32_t ends[16];      /* tokens that end a generation by their name */
    size_t n_ends;
    uint32_t *slots; /* hash table of texts: id + 1, 0 is empty */
    size_t capacity; /* of slots, a power of two */
    int32_t special[TOKENIZER_UNK + 1];
    int32_t byte_token[256];
    bool add_bos, add_eos;
    bool add_space_prefix;        /* a space before a text and after a special token */
    bool strip_after;             /* special tokens swallow the white space after them */
    struct prefix_set marks;      /* special and user-defined tokens */
    struct prefix_set user_marks; /* user-defined ones alone */
    bool splits_at_spaces;        /* SPM: no token has a space after something else */
    struct bpe *bpe;
    struct wpm *wpm;
};

/* The id of a text, or TOKENIZER_NONE. */
int32_t vocab_find(const struct tokenizer *t, struct gguf_str text);

/* ---- One call of tokenizer_encode ----------------------------------------------- */

/* A run of bytes of a word, and its neighbours in the word. */
struct symbol {
    uint32_t start, size; /* bytes; size 0: merged into the one before */
    int32_t previous, next;
    int32_t id; /* token, or TOKENIZER_NONE */
};

/* A pair of neighbours that may become one. */
struct candidate {
    uint64_t order; /* smallest first: rank of the merge, then the position of `left` */
    uint32_t size;  /* bytes of both when this was found */
    int32_t id;     /* of the merged symbol */
};

struct encoder {
    const struct tokenizer *t;
    struct token_list *list;
    struct gguf_error *err;
    const unsigned char *word; /* bytes of the symbols */
    struct symbol *symbols;
    size_t n_symbols, symbol_capacity;
    struct candidate *heap;
    size_t n_heap, heap_capacity;
    char *scratch;
    size_t n_scratch, scratch_capacity;
    struct bpe_match *match; /* of BPE, made when first needed */
};

/* What two neighbours become: its id and its rank (smallest first). False: nothing. */
typedef bool (*merge_fn)(const struct encoder *e, const struct symbol *left,
                         const struct symbol *right, int32_t *id, uint32_t *rank);

struct merge_rule {
    bool characters; /* symbols are UTF-8 characters at first, otherwise bytes */
    merge_fn merge;  /* depends on the bytes and ids of the two alone */
};

/*
 * Splits `word` into symbols and merges the pair of the smallest rank, the leftmost first,
 * until none can be merged; then appends the ids. A symbol without an id becomes the tokens
 * of its bytes.
 */
enum gguf_status encoder_merge(struct encoder *e, struct gguf_str word,
                               const struct merge_rule *rule);

enum gguf_status encoder_add(struct encoder *e, int32_t id);
/* Appends to the scratch text. */
enum gguf_status encoder_scratch(struct encoder *e, const char *bytes, size_t size);

/* ---- Kinds ---------------------------------------------------------------------- */

enum gguf_status spm_load(struct tokenizer *t, const struct gguf *model,
                          struct gguf_error *err);
enum gguf_status spm_encode(struct encoder *e, struct gguf_str text);

enum gguf_status bpe_load(struct tokenizer *t, const struct gguf *model,
                          struct gguf_error *err);
void bpe_free(struct tokenizer *t);
enum gguf_status bpe_encode(struct encoder *e, struct gguf_str text);
void bpe_match_free(struct bpe_match *match);
const char *bpe_pre(const struct tokenizer *t);
/* The byte that a code point of a token's text stands for, or -1. */
int bpe_byte_of(uint32_t code);

enum gguf_status wpm_load(struct tokenizer *t, const struct gguf *model,
                          struct gguf_error *err);
void wpm_free(struct tokenizer *t);
enum gguf_status wpm_encode(struct encoder *e, struct gguf_str text);

/* ---- Pre-tokenizers: how BPE cuts a text into words ----------------------------- */

#define PRE_PATTERNS 6 /* at most, of one row */

/* One row a name of tokenizer.ggml.pre. */
struct pre_tokenizer {
    const char *name;
    /* Perl-compatible patterns, NULL after the last. Each cuts the pieces that the one
     * before has left: every match is a piece, and so is what lies between. */
    const char *const *patterns;
    bool ignore_merges; /* a word that is a token as a whole is taken as it is */
    bool add_bos;       /* where the file does not say */
};

/* NULL for a name that is not known. */
const struct pre_tokenizer *pre_tokenizer_find(struct gguf_str name);
const struct pre_tokenizer *pre_tokenizer_at(size_t index); /* NULL past the end */

#endif
