/* A model without a file: from its shape to a header with the tensors it would have. */
#include "tools/gguf-size/size.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Shapes that models of a size have; the nearest stands in for what is not given. */
static const struct shape common[] = {
    {0.5e9, 24, 14, 2, 896, 4864, 151936, 64, 0, 0, 32768},
    {1.2e9, 16, 32, 8, 2048, 8192, 128256, 64, 0, 0, 131072},
    {1.7e9, 28, 16, 8, 2048, 6144, 151936, 128, 0, 0, 32768},
    {3.2e9, 28, 24, 8, 3072, 8192, 128256, 128, 0, 0, 131072},
    {4.0e9, 36, 32, 8, 2560, 9728, 151936, 128, 0, 0, 32768},
    {7.0e9, 32, 32, 8, 4096, 14336, 32768, 128, 0, 0, 32768},
    {8.0e9, 32, 32, 8, 4096, 14336, 128256, 128, 0, 0, 131072},
    {14.8e9, 40, 40, 8, 5120, 17408, 151936, 128, 0, 0, 32768},
    {24e9, 40, 32, 8, 5120, 32768, 131072, 128, 0, 0, 131072},
    {32.8e9, 64, 64, 8, 5120, 25600, 151936, 128, 0, 0, 32768},
    {70.6e9, 80, 64, 8, 8192, 28672, 128256, 128, 0, 0, 131072},
    {111e9, 80, 64, 8, 8192, 49152, 152064, 128, 0, 0, 32768},
    {405e9, 126, 128, 8, 16384, 53248, 128256, 128, 0, 0, 131072},
};

double parse_parameters(const char *option, const char *value)
{
    static const struct {
        char suffix;
        double unit;
    } units[] = {{'\0', 1}, {'K', 1e3}, {'M', 1e6}, {'B', 1e9}, {'T', 1e12}};
    char *end;
    bool digits = value[0] >= '0' && value[0] <= '9';
    double n = strtod(value, &end);
    int suffix = toupper((unsigned char)*end);
    for (size_t i = 0; digits && i < sizeof units / sizeof units[0]; i++) {
        bool whole = suffix == units[i].suffix && (*end == '\0' || end[1] == '\0');
        double count = n * units[i].unit;
        if (whole && isfinite(count) && count >= 1 && count <= 1e14)
            return count;
    }
    cli_die("--%s: expected a count of parameters like 7B or 270M, up to 100T, found \"%s\"",
            option, value);
}

/* ---- Filling in what is not given ------------------------------------------------------- */

static const struct shape *nearest(const struct shape *shape)
{
    const struct shape *best = &common[6];
    double distance = INFINITY;
    for (size_t i = 0; i < sizeof common / sizeof common[0] && shape->parameters > 0; i++) {
        double own = fabs(log(common[i].parameters / shape->parameters));
        if (own < distance) {
            distance = own;
            best = &common[i];
        }
    }
    return best;
}

static void fill(uint32_t *value, uint32_t common_value)
{
    if (*value == 0)
        *value = common_value;
}

/* Heads of 64 or 128 elements, as models have them. */
static uint32_t usual_heads(uint32_t embedding)
{
    if (embedding % 128 == 0 && embedding >= 2048)
        return embedding / 128;
    return embedding % 64 == 0 ? embedding / 64 : 1;
}

static void fill_heads(struct shape *s, const struct shape *usual, bool own_width)
{
    if (s->heads == 0) {
        fill(&s->heads, own_width ? usual_heads(s->embedding) : usual->heads);
        if (s->kv_heads > s->heads)
            s->heads = s->kv_heads;
    }
    if (s->kv_heads == 0)
        s->kv_heads =
            s->heads % usual->kv_heads == 0 && !own_width ? usual->kv_heads : s->heads;
    if (s->head_length == 0 && s->embedding % s->heads == 0)
        s->head_length = own_width || s->heads != usual->heads ? s->embedding / s->heads
                                                               : usual->head_length;
    if (s->head_length == 0)
        cli_die("--embd %u does not divide into %u heads: give --head-length", s->embedding,
                s->heads);
    if (s->heads % s->kv_heads != 0)
        cli_die("--kv-heads %u is no divisor of the %u heads", s->kv_heads, s->heads);
}

/* Parameters of everything but the feed-forward matrices. */
static double other_parameters(const struct shape *s)
{
    double e = s->embedding, length = s->head_length;
    double attention = 2 * e * s->heads * length + 2 * e * s->kv_heads * length;
    return 2 * e * s->vocab + s->layers * (attention + 2 * e + e * s->experts) + e;
}

static double feed_parameters(const struct shape *s, double width)
{
    return 3.0 * s->embedding * width * s->layers * (s->experts ? s->experts : 1);
}

/* The width that makes up the count of parameters, in whole blocks. */
static void fit_feed_forward(struct shape *s)
{
    double left = s->parameters - other_parameters(s);
    double width = left / feed_parameters(s, 1);
    double blocks = floor(width / 256 + 0.5);
    if (!(width >= 32))
        cli_die("--params: %.3g parameters are too few for this shape, which has %.3g without "
                "its feed-forward part",
                s->parameters, other_parameters(s));
    if (width > 64.0 * s->embedding || width > 1 << 24)
        cli_die("--params: %.3g parameters are too many for %u layers of width %u",
                s->parameters, s->layers, s->embedding);
    s->feed_forward = blocks >= 1 ? (uint32_t)blocks * 256 : (uint32_t)width / 32 * 32;
}

static void check_parameters(struct shape *s)
{
    double found = other_parameters(s) + feed_parameters(s, s->feed_forward);
    if (s->parameters == 0)
        s->parameters = found;
    double ratio = found / s->parameters;
    if (ratio < 0.8 || ratio > 1.25)
        cli_die("--params %.3g contradicts the shape, which has %.3g parameters", s->parameters,
                found);
}

static void complete(struct shape *s)
{
    const struct shape *usual = nearest(s);
    bool own_width = s->embedding && s->embedding != usual->embedding;
    bool own_feed = s->feed_forward != 0;
    fill(&s->layers, usual->layers);
    fill(&s->embedding, usual->embedding);
    fill(&s->vocab, usual->vocab);
    fill(&s->context, usual->context);
    fill_heads(s, usual, own_width);
    if (s->experts && s->experts_used == 0)
        s->experts_used = s->experts < 8 ? s->experts : 8;
    if (s->experts_used > s->experts)
        cli_die("--experts-used %u is more than --experts %u", s->experts_used, s->experts);
    if (!own_feed && s->parameters > 0)
        fit_feed_forward(s);
    fill(&s->feed_forward, usual->feed_forward);
    check_parameters(s);
}

/* ---- The header ---------------------------------------------------------------------- */

static void put_tensor(struct header *h, const char *name, uint32_t type, uint64_t columns,
                       uint64_t rows, uint64_t matrices)
{
    const uint64_t shape[] = {columns, rows, matrices};
    header_tensor(h, name, type, shape);
}

static void put_layer_tensor(struct header *h, uint32_t layer, const char *name, uint32_t type,
                             const uint64_t shape[3])
{
    char full[64];
    snprintf(full, sizeof full, "blk.%u.%s.weight", layer, name);
    header_tensor(h, full, type, shape);
}

static void put_layer(struct header *h, const struct shape *s, uint32_t layer, uint32_t type)
{
    uint64_t e = s->embedding, q = (uint64_t)s->heads * s->head_length;
    uint64_t kv = (uint64_t)s->kv_heads * s->head_length, ff = s->feed_forward;
    uint64_t n = s->experts ? s->experts : 1;
    const struct {
        const char *name, *expert_name;
        uint32_t type;
        uint64_t shape[3];
    } rows[] = {
        {"attn_norm", "attn_norm", GGUF_F32, {e, 1, 1}},
        {"attn_q", "attn_q", type, {e, q, 1}},
        {"attn_k", "attn_k", type, {e, kv, 1}},
        {"attn_v", "attn_v", type, {e, kv, 1}},
        {"attn_output", "attn_output", type, {q, e, 1}},
        {"ffn_norm", "ffn_norm", GGUF_F32, {e, 1, 1}},
        {"ffn_gate", "ffn_gate_exps", type, {e, ff, n}},
        {"ffn_up", "ffn_up_exps", type, {e, ff, n}},
        {"ffn_down", "ffn_down_exps", type, {ff, e, n}},
        {NULL, "ffn_gate_inp", GGUF_F32, {e, n, 1}},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const char *name = s->experts ? rows[i].expert_name : rows[i].name;
        if (name)
            put_layer_tensor(h, layer, name, rows[i].type, rows[i].shape);
    }
}

static void put_keys(struct header *h, const struct shape *s)
{
    const struct {
        const char *key;
        uint32_t value;
    } keys[] = {
        {"block_count", s->layers},
        {"context_length", s->context},
        {"embedding_length", s->embedding},
        {"feed_forward_length", s->feed_forward},
        {"attention.head_count", s->heads},
        {"attention.head_count_kv", s->kv_heads},
        {"attention.key_length", s->head_length},
        {"attention.value_length", s->head_length},
        {"vocab_size", s->vocab},
        {"expert_count", s->experts},
        {"expert_used_count", s->experts_used},
    };
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        if (keys[i].value)
            header_u32(h, keys[i].key, keys[i].value);
    }
}

struct header *shape_header(const struct shape *shape, uint32_t type)
{
    struct shape s = *shape;
    complete(&s);
    struct header *h = header_new("llama");
    put_keys(h, &s);
    put_tensor(h, "token_embd.weight", type, s.embedding, s.vocab, 1);
    put_tensor(h, "output.weight", type, s.embedding, s.vocab, 1);
    put_tensor(h, "output_norm.weight", GGUF_F32, s.embedding, 1, 1);
    for (uint32_t i = 0; i < s.layers; i++)
        put_layer(h, &s, i, type);
    return h;
}
