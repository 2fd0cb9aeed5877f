/* Texts and lists of tokens from files. */
#include "tools/common/text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "libgguf/utf8.h"
#include "tools/common/cli.h"

#define READ_STEP (1u << 20)

static gzFile open_text(const char *path)
{
    gzFile file;
    errno = 0;
    if (strcmp(path, "-") == 0)
        file = gzdopen(dup(STDIN_FILENO), "rb");
    else
        file = gzopen(path, "rb");
    if (!file)
        cli_die("%s: cannot be opened: %s", path, errno ? strerror(errno) : "out of memory");
    return file;
}

/* Dies unless this is the end of the file. zlib's messages begin with the path. */
static void check_end(gzFile file, const char *path)
{
    int number;
    const char *why = gzerror(file, &number);
    size_t n = strlen(path);
    if (strncmp(why, path, n) == 0 && strncmp(why + n, ": ", 2) == 0)
        why += n + 2;
    if (number == Z_ERRNO)
        cli_die("%s: cannot be read: %s", path, strerror(errno));
    if (number != Z_OK && number != Z_STREAM_END)
        cli_die("%s: cannot be unpacked: %s", path, why);
}

/* The whole file, unpacked. zlib hands a file that is not packed through as it is. */
static struct text read_all(const char *path)
{
    struct text text = {0};
    gzFile file = open_text(path);
    for (size_t capacity = 0;;) {
        if (capacity - text.size < READ_STEP) {
            capacity = capacity + capacity / 2 + 2 * READ_STEP;
            text.data = cli_grow(text.data, capacity, 1);
        }
        int n = gzread(file, text.data + text.size, READ_STEP);
        if (n <= 0)
            check_end(file, path);
        if (n == 0)
            break;
        text.size += (size_t)n;
    }
    gzclose(file);
    return text;
}

/* Offset of the first byte that is not UTF-8; the size where there is none. */
static size_t find_invalid(struct text text)
{
    const unsigned char *p = (const unsigned char *)text.data;
    uint32_t code;
    size_t i = 0;
    for (size_t n = 1; i < text.size && n > 0; i += n)
        n = gguf_utf8_decode(p + i, text.size - i, &code);
    return i;
}

void text_check(struct text text, const char *name)
{
    size_t at = find_invalid(text);
    if (at < text.size)
        cli_die("%s: the text is not UTF-8: byte 0x%02X at offset %zu; convert it first, for "
                "instance with iconv",
                name, (unsigned)(unsigned char)text.data[at], at);
}

struct text text_read(const char *path)
{
    struct text text = read_all(path);
    text_check(text, path);
    return text;
}

void text_free(struct text *text)
{
    free(text->data);
    *text = (struct text){0};
}

static bool is_between(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r') || c == ',' || c == '[' || c == ']';
}

void text_read_ids(const char *path, struct token_list *list)
{
    struct text text = read_all(path);
    for (size_t i = 0; i < text.size;) {
        if (is_between(text.data[i])) {
            i++;
            continue;
        }
        uint64_t id = 0;
        size_t start = i;
        while (i < text.size && text.data[i] >= '0' && text.data[i] <= '9' && id <= INT32_MAX)
            id = id * 10 + (uint64_t)(text.data[i++] - '0');
        if (i == start || id > INT32_MAX || (i < text.size && !is_between(text.data[i])))
            cli_die("%s: offset %zu: expected a token id, found \"%.*s\"", path, start,
                    (int)(text.size - start < 16 ? text.size - start : 16), text.data + start);
        if (!token_list_add(list, (int32_t)id))
            cli_die_memory();
    }
    text_free(&text);
    if (list->count == 0)
        cli_die("%s: there are no token ids in it", path);
}

struct gguf_str text_str(const char *text)
{
    return (struct gguf_str){text, strlen(text)};
}

/* ---- Texts and models ----------------------------------------------------------- */

enum model_activations parse_activations(const char *value)
{
    if (strcmp(value, "f32") == 0)
        return MODEL_ACTIVATIONS_F32;
    if (strcmp(value, "q8") == 0)
        return MODEL_ACTIVATIONS_ENGINE;
    cli_die("--activations: expected f32 or q8, found \"%s\"", value);
}

uint64_t parse_chunk(const char *value)
{
    return cli_parse_u64("chunk", value, 4, 1 << 20);
}

uint64_t parse_chunks(const char *value)
{
    return cli_parse_u64("chunks", value, 1, UINT32_MAX);
}

void die_of(const char *name, const struct gguf_error *err)
{
    if (strncmp(err->message, name, strlen(name)) == 0)
        cli_die("%s", err->message);
    cli_die("%s: %s", name, err->message);
}

struct gguf *open_file(const char *path, unsigned flags)
{
    struct gguf *gguf;
    struct gguf_error err;
    if (gguf_open(&gguf, path, flags, &err) != GGUF_OK)
        cli_die("%s", err.message); /* it names the file */
    return gguf;
}

void refuse_model(const char *output, const struct gguf *model)
{
    for (size_t i = 0; i < gguf_file_count(model); i++)
        cli_refuse_input(output, gguf_file_at(model, i)->path);
}

struct tokenizer *open_tokenizer(const struct gguf *gguf, const char *path)
{
    struct tokenizer *tokenizer;
    struct gguf_error err;
    if (tokenizer_open(&tokenizer, gguf, &err) != GGUF_OK)
        die_of(path, &err);
    if (strcmp(tokenizer_kind(tokenizer), "BPE") == 0 &&
        !gguf_kv_find(gguf, "tokenizer.ggml.pre"))
        cli_warning(
            "%s: does not name its pre-tokenizer (tokenizer.ggml.pre); words may be cut "
            "otherwise than the model expects",
            path);
    return tokenizer;
}

void text_encode(struct text text, const struct tokenizer *tokenizer, const char *model,
                 struct token_list *list)
{
    struct gguf_error err;
    size_t size = text.size;
    if (size > 0 && text.data[size - 1] == '\n')
        size--;
    if (tokenizer_encode(tokenizer, (struct gguf_str){text.data, size}, TOKENIZER_ADD_SPECIAL,
                         list, &err) != GGUF_OK)
        die_of(model, &err);
}

uint32_t text_chunk_size(uint64_t wanted, const struct model *model, const char *name)
{
    uint32_t context = model_hparams(model)->context;
    uint32_t usual = context && context < USUAL_CHUNK ? context : USUAL_CHUNK;
    uint32_t chunk = wanted ? (uint32_t)wanted : usual;
    if (context && chunk > context)
        cli_warning(
            "%s: chunks of %u tokens are longer than the context of %u that the model was "
            "trained for",
            name, chunk, context);
    return chunk;
}

size_t text_chunks(const struct token_list *list, uint32_t chunk, const char *source)
{
    if (list->count < chunk)
        cli_die(
            "%s: the text has %zu token%s, less than a chunk of %u; give a longer text or a "
            "smaller --chunk",
            source, list->count, list->count == 1 ? "" : "s", chunk);
    return list->count / chunk;
}

void text_begin_chunk(const struct tokenizer *tokenizer, uint32_t *tokens)
{
    int32_t bos = tokenizer ? tokenizer_special(tokenizer, TOKENIZER_BOS) : TOKENIZER_NONE;
    if (bos != TOKENIZER_NONE && tokenizer_adds_bos(tokenizer))
        tokens[0] = (uint32_t)bos;
}

void text_check_ids(const struct token_list *list, const struct model *model, const char *name,
                    const char *source)
{
    size_t vocab = model_hparams(model)->vocab;
    for (size_t i = 0; i < list->count; i++) {
        if ((size_t)list->ids[i] >= vocab)
            cli_die("%s: token %zu is %d; %s has ids 0 to %zu", source, i, list->ids[i], name,
                    vocab - 1);
    }
}
