/* Small models made with the writer, with bytes that tell where they belong. */
#ifndef WRITE_MODELS_H
#define WRITE_MODELS_H

#include "libgguf/gguf.h"
#include "tests/unit/scratch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define STR(literal) ((struct gguf_str){literal, sizeof(literal) - 1})

static inline struct gguf_writer *new_writer(const char *path,
                                             struct gguf_writer_options options)
{
    struct gguf_writer *w = NULL;
    struct gguf_error err;
    options.overwrite = true;
    assert_int_equal(gguf_writer_new(&w, path, &options, &err), GGUF_OK);
    return w;
}

static inline void add(struct gguf_writer *w, const char *name, uint32_t type, uint64_t n)
{
    struct gguf_str s = {name, strlen(name)};
    struct gguf_error err;
    assert_int_equal(gguf_writer_add_tensor(w, s, type, 1, &n, GGUF_SHARD_AUTO, &err), GGUF_OK);
}

static inline void must(enum gguf_status status, const struct gguf_error *err)
{
    if (status)
        fail_msg("%s: %s", gguf_status_name(status), err->message);
}

/* What a byte of a tensor is. */
static inline unsigned char pattern(size_t tensor, uint64_t at)
{
    return (unsigned char)(tensor * 37 + at * 11 + 5);
}

/* Begins, writes every byte of every tensor, finishes and frees. */
static inline void write_patterns(struct gguf_writer *w, size_t tensors, const uint64_t *bytes)
{
    struct gguf_error err = {0};
    must(gguf_writer_begin(w, &err), &err);
    for (size_t t = 0; t < tensors; t++) {
        unsigned char *data = malloc((size_t)bytes[t] + 1);
        for (uint64_t i = 0; i < bytes[t]; i++)
            data[i] = pattern(t, i);
        must(gguf_writer_write(w, t, 0, data, (size_t)bytes[t], &err), &err);
        free(data);
    }
    must(gguf_writer_finish(w, &err), &err);
    gguf_writer_free(w);
}

static inline struct gguf *open_model(const char *path)
{
    struct gguf *model = NULL;
    struct gguf_error err = {0};
    must(gguf_open(&model, path, 0, &err), &err);
    return model;
}

static inline void assert_patterns(const struct gguf *model)
{
    struct gguf_error err = {0};
    for (size_t t = 0; t < gguf_tensor_count(model); t++) {
        const struct gguf_tensor *info = gguf_tensor_at(model, t);
        unsigned char *data = malloc((size_t)info->bytes + 1);
        must(gguf_tensor_read(model, info, 0, data, (size_t)info->bytes, &err), &err);
        for (uint64_t i = 0; i < info->bytes; i++)
            assert_int_equal(data[i], pattern(t, i));
        free(data);
    }
}

#endif
