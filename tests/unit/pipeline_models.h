/* Sources for the pipeline, and writers of what it makes. */
#ifndef PIPELINE_MODELS_H
#define PIPELINE_MODELS_H

#include "quant/quant.h"
#include "tests/unit/write_models.h"

/* Values in a bell around 0, the same on every machine. */
static inline float next_value(uint32_t *state)
{
    int32_t sum = 0;
    for (int i = 0; i < 4; i++) {
        *state = *state * 1664525u + 1013904223u;
        sum += (int32_t)(*state >> 16) - 32768;
    }
    return (float)sum / 65536;
}

static inline float *make_values(size_t n)
{
    float *values = malloc(n * sizeof *values);
    uint32_t state = 1;
    for (size_t i = 0; i < n; i++)
        values[i] = next_value(&state);
    return values;
}

/* A model with one tensor "w", as a file that the scratch folder keeps. */
static inline void make_source_of(const char *path, uint32_t type, uint32_t n_dims,
                                  const uint64_t *ne, bool big_endian)
{
    struct gguf_error err = {0};
    struct gguf_writer *w =
        new_writer(path, (struct gguf_writer_options){.big_endian = big_endian});
    size_t n = 1;
    uint64_t bytes = 0;
    for (uint32_t d = 0; d < n_dims; d++)
        n *= (size_t)ne[d];
    float *values = make_values(n);
    assert_true(gguf_type_bytes(type, n, &bytes));
    unsigned char *data = malloc((size_t)bytes);
    quant_format_find(type)->encode(values, data, n, NULL);
    must(gguf_writer_add_tensor(w, STR("w"), type, n_dims, ne, GGUF_SHARD_AUTO, &err), &err);
    must(gguf_writer_begin(w, &err), &err);
    must(gguf_writer_write(w, 0, 0, data, (size_t)bytes, &err), &err);
    must(gguf_writer_finish(w, &err), &err);
    gguf_writer_free(w);
    free(data);
    free(values);
}

static inline void make_source(const char *path, uint32_t type, const uint64_t ne[3],
                               bool big_endian)
{
    make_source_of(path, type, 3, ne, big_endian);
}

/* Tensors from less than a unit of work to several, next to each other. */
enum { MANY = 12 };

static inline uint64_t rows_of_many(size_t tensor)
{
    return tensor % 4 == 3 ? 900 + tensor : 1 + tensor;
}

static inline struct gguf *open_many(struct scratch *s)
{
    struct gguf_error err = {0};
    float *values = make_values(256 * 1000);
    struct gguf_writer *w =
        new_writer(scratch_path(s, "in.gguf"), (struct gguf_writer_options){0});
    for (size_t i = 0; i < MANY; i++) {
        char name[] = {'t', (char)('a' + i), 0};
        const uint64_t ne[2] = {256, rows_of_many(i)};
        must(gguf_writer_add_tensor(w, (struct gguf_str){name, 2}, GGUF_F32, 2, ne,
                                    GGUF_SHARD_AUTO, &err),
             &err);
    }
    must(gguf_writer_begin(w, &err), &err);
    for (size_t i = 0; i < MANY; i++)
        must(gguf_writer_write(w, i, 0, values + i, (size_t)rows_of_many(i) * 1024, &err),
             &err);
    must(gguf_writer_finish(w, &err), &err);
    gguf_writer_free(w);
    free(values);
    return open_model(s->path);
}

static inline struct quant_item item_of(uint32_t tensor, uint32_t type)
{
    return (struct quant_item){.choice = {.tensor = tensor, .type = type, .wanted = type}};
}

/* A writer for the items, begun. */
static inline struct gguf_writer *begin(const struct gguf *model, const char *path,
                                        const struct quant_item *items, size_t n)
{
    struct gguf_error err = {0};
    struct gguf_writer *w = new_writer(path, (struct gguf_writer_options){0});
    for (size_t i = 0; i < n; i++) {
        const struct gguf_tensor *t = gguf_tensor_at(model, items[i].choice.tensor);
        must(gguf_writer_add_tensor(w, t->name, items[i].choice.type, t->n_dims, t->ne,
                                    GGUF_SHARD_AUTO, &err),
             &err);
    }
    must(gguf_writer_begin(w, &err), &err);
    return w;
}

#endif
