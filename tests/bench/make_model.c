/*
 * make_model SHAPE TYPE OUT.gguf: a model of random weights in the shape of a llama, to measure
 * speed and memory on. Weights are N(0, 0.02) with scales that differ between rows and between
 * columns, and one value in 4096 that lies far out, as in trained models. Norms are ones.
 */
#include "quant/quant.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct shape {
    const char *name;
    uint32_t layers, width, ff, heads, kv_heads, vocabulary;
};

static const struct shape shapes[] = {
    {"30M", 6, 384, 1024, 6, 6, 32000},      {"160M", 12, 768, 2048, 12, 12, 32000},
    {"1.1B", 22, 2048, 5632, 32, 4, 32000}, /* TinyLlama */
    {"3B", 26, 3200, 8640, 32, 32, 32000},   {"7B", 32, 4096, 11008, 32, 32, 32000},
    {"13B", 40, 5120, 13824, 40, 40, 32000},
};

/* Weights come from one table of normal numbers that each row enters at a place of its own. */
enum { NOISE = 1 << 20 };

struct maker {
    const struct shape *shape;
    uint32_t type;
    struct gguf_writer *writer;
    uint64_t random;
    float *noise; /* NOISE values, and the first ones again behind them */
    float *columns, *row;
    unsigned char *encoded;
    size_t tensors;
};

static void must(enum gguf_status status, const struct gguf_error *err)
{
    if (!status)
        return;
    fprintf(stderr, "make_model: %s\n", err->message);
    exit(2);
}

static void *allocate(size_t count, size_t size)
{
    void *p = calloc(count, size);
    if (p)
        return p;
    fprintf(stderr, "make_model: out of memory\n");
    exit(2);
}

/* ---- Numbers ---------------------------------------------------------------------------- */

static uint64_t next_random(struct maker *m)
{
    m->random ^= m->random << 13;
    m->random ^= m->random >> 7;
    m->random ^= m->random << 17;
    return m->random;
}

/* In (0, 1). */
static double next_uniform(struct maker *m)
{
    return ((double)(next_random(m) >> 11) + 0.5) / 9007199254740992.0;
}

static double next_normal(struct maker *m)
{
    double radius = sqrt(-2 * log(next_uniform(m)));
    return radius * cos(6.283185307179586 * next_uniform(m));
}

static void make_noise(struct maker *m, size_t longest_row)
{
    m->noise = allocate(NOISE + longest_row, sizeof *m->noise);
    m->columns = allocate(longest_row, sizeof *m->columns);
    m->row = allocate(longest_row, sizeof *m->row);
    m->encoded = allocate(longest_row, sizeof *m->row);
    for (size_t i = 0; i < NOISE; i++)
        m->noise[i] = (float)(0.02 * next_normal(m) * (next_random(m) % 4096 ? 1 : 8));
    for (size_t i = 0; i < longest_row; i++) {
        m->noise[NOISE + i] = m->noise[i];
        m->columns[i] = (float)exp(0.2 * next_normal(m));
    }
}

static void fill_row(struct maker *m, size_t n)
{
    const float *noise = m->noise + next_random(m) % NOISE;
    float scale = (float)exp(0.3 * next_normal(m));
    for (size_t i = 0; i < n; i++)
        m->row[i] = scale * m->columns[i] * noise[i];
}

/* ---- Tensors ---------------------------------------------------------------------------- */

/* Declares the tensor or, once the writer has begun, writes it: the same calls twice. */
static void tensor(struct maker *m, bool write, const char *name, uint32_t ne0, uint32_t ne1)
{
    struct gguf_error err;
    const uint64_t ne[2] = {ne0, ne1};
    uint32_t type = ne1 > 1 ? m->type : GGUF_F32, n_dims = ne1 > 1 ? 2 : 1;
    uint64_t bytes = 0;
    if (!write) {
        must(gguf_writer_add_tensor(m->writer, (struct gguf_str){name, strlen(name)}, type,
                                    n_dims, ne, GGUF_SHARD_AUTO, &err),
             &err);
        return;
    }
    gguf_type_bytes(type, ne0, &bytes);
    for (uint64_t r = 0; r < ne1; r++) {
        fill_row(m, ne0);
        for (uint32_t i = 0; ne1 == 1 && i < ne0; i++)
            m->row[i] = 1;
        quant_format_find(type)->encode(m->row, m->encoded, ne0, NULL);
        must(gguf_writer_write(m->writer, m->tensors, r * bytes, m->encoded, (size_t)bytes,
                               &err),
             &err);
    }
    m->tensors++;
}

static void layer(struct maker *m, bool write, uint32_t number)
{
    const struct shape *s = m->shape;
    uint32_t kv = s->width / s->heads * s->kv_heads;
    const struct {
        const char *name;
        uint32_t ne0, ne1;
    } rows[] = {
        {"attn_norm", s->width, 1},
        {"attn_q", s->width, s->width},
        {"attn_k", s->width, kv},
        {"attn_v", s->width, kv},
        {"attn_output", s->width, s->width},
        {"ffn_norm", s->width, 1},
        {"ffn_gate", s->width, s->ff},
        {"ffn_up", s->width, s->ff},
        {"ffn_down", s->ff, s->width},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char name[64];
        snprintf(name, sizeof name, "blk.%" PRIu32 ".%s.weight", number, rows[i].name);
        tensor(m, write, name, rows[i].ne0, rows[i].ne1);
    }
}

static void all_tensors(struct maker *m, bool write)
{
    const struct shape *s = m->shape;
    tensor(m, write, "output.weight", s->width, s->vocabulary);
    tensor(m, write, "token_embd.weight", s->width, s->vocabulary);
    tensor(m, write, "output_norm.weight", s->width, 1);
    for (uint32_t i = 0; i < s->layers; i++)
        layer(m, write, i);
}

static void set_metadata(struct maker *m)
{
    const struct shape *s = m->shape;
    struct gguf_error err;
    const struct {
        const char *key;
        uint32_t value;
    } rows[] = {
        {"llama.block_count", s->layers},
        {"llama.context_length", 2048},
        {"llama.embedding_length", s->width},
        {"llama.feed_forward_length", s->ff},
        {"llama.attention.head_count", s->heads},
        {"llama.attention.head_count_kv", s->kv_heads},
        {"llama.vocab_size", s->vocabulary},
        {"general.file_type", m->type},
    };
    must(gguf_writer_set_string(m->writer, "general.architecture",
                                (struct gguf_str){"llama", 5}, &err),
         &err);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        must(gguf_writer_set_u32(m->writer, rows[i].key, rows[i].value, &err), &err);
    must(gguf_writer_set_f32(m->writer, "llama.attention.layer_norm_rms_epsilon", 1e-5f, &err),
         &err);
    must(gguf_writer_set_string(m->writer, "tokenizer.ggml.model",
                                (struct gguf_str){"no_vocab", 8}, &err),
         &err);
}

static const struct shape *find_shape(const char *name)
{
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
        if (strcmp(shapes[i].name, name) == 0)
            return &shapes[i];
    }
    fprintf(stderr, "make_model: no shape \"%s\"; there are", name);
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++)
        fprintf(stderr, " %s", shapes[i].name);
    fprintf(stderr, "\n");
    exit(2);
}

int main(int argc, char **argv)
{
    struct gguf_error err;
    const struct gguf_type_info *type = argc == 4 ? gguf_type_by_name(argv[2]) : NULL;
    const struct gguf_writer_options options = {.overwrite = true};
    if (!type || !quant_format_find(type->id) || !quant_format_find(type->id)->encode) {
        fprintf(stderr, "usage: make_model SHAPE TYPE OUT.gguf, such as 1.1B F16 out.gguf\n");
        return 2;
    }
    struct maker m = {
        .shape = find_shape(argv[1]), .type = type->id, .random = 88172645463325252u};
    must(gguf_writer_new(&m.writer, argv[3], &options, &err), &err);
    set_metadata(&m);
    all_tensors(&m, false);
    make_noise(&m, m.shape->ff > m.shape->width ? m.shape->ff : m.shape->width);
    must(gguf_writer_begin(m.writer, &err), &err);
    all_tensors(&m, true);
    must(gguf_writer_finish(m.writer, &err), &err);
    gguf_writer_free(m.writer);
    free(m.noise);
    free(m.columns);
    free(m.row);
    free(m.encoded);
    return 0;
}
