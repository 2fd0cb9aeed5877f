/* Texts and lists of tokens, as the programs that evaluate models read them. Any trouble is a
 * message and exit 2. */
#ifndef TOOLS_COMMON_TEXT_H
#define TOOLS_COMMON_TEXT_H

#include "model/model.h"
#include "model/tokenizer.h"
#include "tools/common/cli.h"

#define USUAL_CHUNK 512 /* tokens of a chunk, where nobody says otherwise */

/* A C string, borrowed. */
struct gguf_str text_str(const char *text);

struct text {
    char *data;
    size_t size;
};
/* Reads a file, "-" for the standard input, packed by gzip or not. It must be UTF-8. */
struct text text_read(const char *path);
void text_free(struct text *text);
/* Dies unless it is UTF-8. */
void text_check(struct text text, const char *name);
/* Reads token ids: numbers with white space, commas or brackets between. */
void text_read_ids(const char *path, struct token_list *list);

/* The value of --activations: f32, or q8 for what engines do. */
enum model_activations parse_activations(const char *value);
/* The values of --chunk (tokens) and --chunks. */
uint64_t parse_chunk(const char *value);
uint64_t parse_chunks(const char *value);

/* Dies with the name of what failed, unless the message begins with it already: what is wrong
 * with the contents of a file is said without its name. */
void die_of(const char *name, const struct gguf_error *err) CLI_NORETURN;
struct gguf *open_file(const char *path, unsigned flags);
/* cli_refuse_input for every file of a model: the shards of a set too. */
void refuse_model(const char *output, const struct gguf *model);
/* The tokenizer of a file; a message and exit 2 where it has none. */
struct tokenizer *open_tokenizer(const struct gguf *gguf, const char *path);

/* Appends the tokens of a text. The last newline of a file is no part of the text:
 * llama-perplexity and llama-imatrix drop it. */
void text_encode(struct text text, const struct tokenizer *tokenizer, const char *model,
                 struct token_list *list);

/* Tokens of a chunk: what is wanted, or for 0 what is usual for the model. Warns of chunks over
 * its context. */
uint32_t text_chunk_size(uint64_t wanted, const struct model *model, const char *name);
/* Whole chunks of a text; there must be one. */
size_t text_chunks(const struct token_list *list, uint32_t chunk, const char *source);
/* The first token of a chunk gives way to BOS where the model wants BOS, as in the engines.
 * `tokenizer` may be NULL. */
void text_begin_chunk(const struct tokenizer *tokenizer, uint32_t *tokens);
/* Dies if the network has no embedding for an id of `source`. */
void text_check_ids(const struct token_list *list, const struct model *model, const char *name,
                    const char *source);

#endif
