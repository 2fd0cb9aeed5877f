/* Memory of a run: see memory.h. */
#include "model/memory.h"

#include <strings.h>

#include "libgguf/checked.h"

/* ---- Engines ----------------------------------------------------------------------- */

static const struct memory_engine engines[] = {
    {.name = "2025-02",
     .summary = "llama.cpp of early 2025: no window caches, MLA stored as full attention",
     .pad = 32,
     .pad_flash = 256,
     .mask = MEMORY_MASK_CONVERTED,
     .all_outputs = true,
     .stages = true,
     .hidden = 1},
    {.name = "ik",
     .summary = "ik_llama.cpp: no window caches, MLA compressed",
     .pad = 32,
     .pad_flash = 256,
     .latent_cache = true,
     .all_outputs = true,
     .hidden = 2},
    {.name = "A",
     .summary = "llama.cpp to 2026-05: logits of a whole batch are reserved",
     .pad = 32,
     .pad_flash = 256,
     .window_cache = true,
     .latent_cache = true,
     .mask = MEMORY_MASK_CONVERTED,
     .all_outputs = true,
     .stages = true,
     .hidden = 1},
    {.name = "B",
     .summary = "llama.cpp after #23861: logits of one token a sequence",
     .pad = 256,
     .pad_flash = 256,
     .mask = MEMORY_MASK_CONVERTED,
     .window_cache = true,
     .latent_cache = true,
     .stages = true,
     .output_first = true,
     .hidden = 1},
    {.name = "C",
     .summary = "llama.cpp after #23907: CUDA copies a quantized KV cache to f16",
     .pad = 256,
     .pad_flash = 256,
     .window_cache = true,
     .latent_cache = true,
     .mask = MEMORY_MASK_F16,
     .copies_cache = true,
     .stages = true,
     .output_first = true,
     .hidden = 1},
};
#define N_ENGINES (sizeof engines / sizeof engines[0])

const struct memory_engine *model_memory_engine_at(size_t index)
{
    return index < N_ENGINES ? &engines[index] : NULL;
}

const struct memory_engine *model_memory_engine_find(const char *name)
{
    for (size_t i = 0; i < N_ENGINES; i++) {
        if (strcasecmp(name, engines[i].name) == 0)
            return &engines[i];
    }
    return NULL;
}

const struct memory_engine *model_memory_engine_newest(void)
{
    return &engines[N_ENGINES - 1];
}

/* ---- Arithmetic that stops at MEMORY_MAX -------------------------------------------- */

uint64_t model_memory_sum(uint64_t a, uint64_t b)
{
    uint64_t sum;
    return checked_add(a, b, &sum) ? sum : MEMORY_MAX;
}

uint64_t model_memory_product(uint64_t a, uint64_t b)
{
    uint64_t product;
    return checked_mul(a, b, &product) ? product : MEMORY_MAX;
}

static uint64_t product3(uint64_t a, uint64_t b, uint64_t c)
{
    return model_memory_product(model_memory_product(a, b), c);
}

static uint64_t larger(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

static uint64_t smaller(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static uint64_t padded(uint64_t n, uint64_t multiple)
{
    uint64_t up;
    return checked_align(n, multiple, &up) ? up : MEMORY_MAX;
}

/* ---- KV cache ---------------------------------------------------------------------- */

#define WINDOW_PAD 256

bool model_memory_kv_type(uint32_t type)
{
    static const uint32_t types[] = {GGUF_F32,  GGUF_F16,  GGUF_BF16, GGUF_Q8_0,  GGUF_Q5_1,
                                     GGUF_Q5_0, GGUF_Q4_1, GGUF_Q4_0, GGUF_IQ4_NL};
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        if (types[i] == type)
            return true;
    }
    return false;
}

static uint64_t sequence_cells(const struct memory_run *run)
{
    uint64_t each = run->context / run->sequences;
    return padded(each ? each : 1,
                  run->flash_attention ? run->engine->pad_flash : run->engine->pad);
}

static bool keeps_window(const struct model_hparams *h, const struct memory_run *run,
                         uint32_t layer)
{
    return h->layer[layer].sliding && h->window && run->engine->window_cache &&
           !run->full_window;
}

uint64_t model_memory_cells(const struct model_hparams *h, const struct memory_run *run,
                            uint32_t layer)
{
    uint64_t cells = sequence_cells(run);
    if (keeps_window(h, run, layer))
        cells = padded(smaller(cells, model_memory_sum(h->window, run->batch)), WINDOW_PAD);
    return model_memory_product(cells, run->sequences);
}

/* Latent attention: K and V of a token are projections of one short vector. */
static bool is_latent(const struct model_hparams *h)
{
    return h->kv_lora_rank > 0;
}

static bool keeps_latent(const struct model_hparams *h, const struct memory_run *run)
{
    return is_latent(h) && run->engine->latent_cache;
}

/* Elements of a K or V row: what the engine keeps for one token. */
static uint64_t row_elements(const struct model_hparams *h, const struct memory_run *run,
                             uint32_t layer, bool value)
{
    const struct model_layer_hparams *l = &h->layer[layer];
    if (keeps_latent(h, run))
        return value ? 0 : (uint64_t)h->kv_lora_rank + h->rope.dims;
    if (is_latent(h)) {
        uint32_t mla = value ? h->value_length_mla : h->key_length_mla;
        return model_memory_product(l->heads, mla     ? mla
                                              : value ? h->value_length
                                                      : h->key_length);
    }
    if (l->sliding)
        return model_memory_product(l->kv_heads,
                                    value ? h->value_length_sliding : h->key_length_sliding);
    return model_memory_product(l->kv_heads, value ? h->value_length : h->key_length);
}

/* Rows are stored in whole blocks. */
static uint64_t row_bytes(uint32_t type, uint64_t elements)
{
    const struct gguf_type_info *info = gguf_type_find(type);
    uint64_t blocks = elements / info->block_elements + (elements % info->block_elements != 0);
    return model_memory_product(blocks, info->block_bytes);
}

/* The last layers may predict further tokens: an engine that does not use them keeps nothing
 * for them. */
static bool is_evaluated(const struct model_hparams *h, uint32_t layer)
{
    return layer < h->layers && h->layers - layer > h->nextn_layers;
}

void model_memory_cell_bytes(const struct model_hparams *h, const struct memory_run *run,
                             uint32_t layer, uint64_t bytes[2])
{
    bytes[0] = bytes[1] = 0;
    if (!h->layer[layer].own_cache || !is_evaluated(h, layer))
        return;
    bytes[0] = row_bytes(run->type_k, row_elements(h, run, layer, false));
    bytes[1] = row_bytes(run->type_v, row_elements(h, run, layer, true));
}

uint64_t model_memory_kv(const struct model_hparams *h, const struct memory_run *run,
                         uint32_t layer)
{
    uint64_t bytes[2];
    model_memory_cell_bytes(h, run, layer, bytes);
    return model_memory_product(model_memory_cells(h, run, layer),
                                model_memory_sum(bytes[0], bytes[1]));
}

/* ---- Recurrent state ----------------------------------------------------------------- */

static uint64_t less_one(uint32_t n)
{
    return n ? n - 1 : 0;
}

static uint64_t kimi_elements(const struct model_hparams *h, uint32_t layer)
{
    uint64_t heads = h->layer[layer].heads, dim = h->kda_head_dim;
    uint64_t kept = h->ssm_conv_kernel ? h->ssm_conv_kernel - 1 : 3;
    return model_memory_sum(model_memory_product(3 * kept, model_memory_product(heads, dim)),
                            product3(dim, dim, heads));
}

static uint64_t state_elements(const struct model_hparams *h, uint32_t layer)
{
    if (h->wkv_head_size)
        return model_memory_product(
            model_memory_sum(h->token_shift_count ? h->token_shift_count : 2, h->wkv_head_size),
            h->embedding);
    if (h->shortconv_cache)
        return model_memory_product(less_one(h->shortconv_cache), h->embedding);
    if (h->kda_head_dim)
        return kimi_elements(h, layer);
    uint64_t channels = model_memory_sum(
        h->ssm_inner_size, 2 * model_memory_product(h->ssm_group_count, h->ssm_state_size));
    return model_memory_sum(model_memory_product(less_one(h->ssm_conv_kernel), channels),
                            model_memory_product(h->ssm_state_size, h->ssm_inner_size));
}

uint64_t model_memory_recurrent(const struct model_hparams *h, const struct memory_run *run,
                                uint32_t layer)
{
    if (!h->layer[layer].recurrent || !is_evaluated(h, layer))
        return 0;
    return product3(sizeof(float), state_elements(h, layer), run->sequences);
}

/* ---- Output buffer ------------------------------------------------------------------- */

uint64_t model_memory_output(const struct model_hparams *h, const struct memory_run *run)
{
    return product3(sizeof(float), h->vocab, run->sequences);
}

/* ---- Compute buffers ------------------------------------------------------------------ */

/* Networks whose graph differs, as their logs show. */
static const struct graph {
    const char *architecture;
    uint32_t hidden;  /* vectors beside the logits; 0: the engine's number */
    uint32_t vectors; /* embedding vectors and */
    uint32_t queries; /* query vectors beside the attention scores */
} graphs[] = {
    {"gemma2", 1, 3, 1}, {"gemma3", 1, 3, 1}, {"gemma3n", 1, 3, 1},
    {"gemma4", 3, 3, 1}, {"glm4", 1, 2, 2},
};

static struct graph graph_of(const struct model_hparams *h)
{
    for (size_t i = 0; i < sizeof graphs / sizeof graphs[0]; i++) {
        if (gguf_str_equal(h->architecture, graphs[i].architecture))
            return graphs[i];
    }
    return (struct graph){NULL, 0, 2, 2};
}

/* The widest layer of a share: what its buffers depend on. */
struct widest {
    uint64_t cells;       /* of a layer with a KV cache */
    uint64_t mask_cells;  /* of one mask for full attention and one for windows together */
    uint64_t heads;       /* query heads */
    uint64_t query;       /* heads * key_length */
    uint64_t narrow;      /* elements that the feed-forward part holds for a token at least */
    uint64_t wide;        /* and on a CPU, which keeps the outputs of experts as well */
    uint64_t cache_bytes; /* of an f16 copy of the layer's KV cache */
};

/* Gate and up, or the projections of a recurrent layer, for one token; of experts, those
 * that are used. [0] on a GPU, [1] on a CPU. */
static void feed_elements(const struct model_hparams *h, uint32_t layer, uint64_t elements[2])
{
    const struct model_layer_hparams *l = &h->layer[layer];
    uint64_t expert = l->expert_ff_length ? l->expert_ff_length : l->ff_length;
    uint64_t used = model_memory_product(l->experts_used, expert);
    uint64_t recurrent = l->recurrent ? 6 * (uint64_t)h->ssm_inner_size : 0;
    bool dense = h->experts == 0 || layer < h->leading_dense;
    elements[0] = dense ? 3 * (uint64_t)l->ff_length : 2 * used;
    elements[1] =
        dense ? 3 * (uint64_t)l->ff_length
              : model_memory_sum(3 * used, model_memory_product(l->experts_used, h->embedding));
    elements[0] = larger(elements[0], recurrent);
    elements[1] = larger(elements[1], recurrent);
}

static uint64_t f16_cache_bytes(const struct model_hparams *h, const struct memory_run *run,
                                uint32_t layer)
{
    uint64_t elements =
        model_memory_sum(row_elements(h, run, layer, false), row_elements(h, run, layer, true));
    return h->layer[layer].own_cache ? product3(model_memory_cells(h, run, layer), elements, 2)
                                     : 0;
}

static void widen(struct widest *w, const struct model_hparams *h, const struct memory_run *run,
                  uint32_t layer)
{
    const struct model_layer_hparams *l = &h->layer[layer];
    uint32_t length = l->sliding ? h->key_length_sliding : h->key_length;
    uint64_t feed[2];
    if (is_latent(h) && h->key_length_mla)
        length = h->key_length_mla;
    feed_elements(h, layer, feed);
    if (l->kv_heads > 0)
        w->cells = larger(w->cells, model_memory_cells(h, run, layer) / run->sequences);
    w->heads = larger(w->heads, l->heads);
    w->query = larger(w->query, model_memory_product(l->heads, length));
    w->narrow = larger(w->narrow, feed[0]);
    w->wide = larger(w->wide, feed[1]);
    w->cache_bytes = larger(w->cache_bytes, f16_cache_bytes(h, run, layer));
}

static struct widest find_widest(const struct model_hparams *h, const struct memory_run *run,
                                 uint32_t first, uint32_t last)
{
    struct widest w = {0};
    uint64_t window = 0;
    for (uint32_t i = first; i < last && i < h->layers; i++) {
        widen(&w, h, run, i);
        if (keeps_window(h, run, i))
            window = larger(window, model_memory_cells(h, run, i) / run->sequences);
    }
    if (h->window && !run->engine->window_cache)
        window = w.cells;
    w.mask_cells = model_memory_sum(w.cells, window);
    return w;
}

/* 4 bytes for each element of a batch of vectors. */
static uint64_t batch_bytes(const struct memory_run *run, uint64_t elements)
{
    return product3(sizeof(float), smaller(run->batch, run->context), elements);
}

static uint64_t mask_bytes(const struct memory_run *run, const struct widest *w)
{
    bool narrow = run->flash_attention && run->engine->mask == MEMORY_MASK_F16;
    return batch_bytes(run, w->mask_cells) / (narrow ? 2 : 1);
}

static uint64_t logits_bytes(const struct model_hparams *h, const struct memory_run *run,
                             const struct memory_share *share)
{
    uint64_t outputs =
        run->engine->all_outputs ? smaller(run->batch, run->context) : run->sequences;
    struct graph graph = graph_of(h);
    uint32_t hidden = share->gpu ? run->engine->hidden : 1;
    if (graph.hidden)
        hidden = graph.hidden;
    return model_memory_sum(product3(sizeof(float), outputs, h->vocab),
                            batch_bytes(run, model_memory_product(hidden, h->embedding)));
}

static uint64_t scores_bytes(const struct model_hparams *h, const struct memory_run *run,
                             const struct widest *w, uint32_t copies)
{
    struct graph graph = graph_of(h);
    uint64_t masks = model_memory_product(mask_bytes(run, w), copies);
    uint64_t scores = batch_bytes(run, model_memory_product(w->cells, w->heads));
    uint64_t vectors = model_memory_sum(model_memory_product(graph.vectors, h->embedding),
                                        model_memory_product(graph.queries, w->query));
    return model_memory_sum(model_memory_sum(scores, masks), batch_bytes(run, vectors));
}

/* In the first layer a wide mask and its f16 copy lie side by side; later only the copy is
 * left, and the feed-forward part is the widest. */
static uint64_t flash_bytes(const struct model_hparams *h, const struct memory_run *run,
                            const struct memory_share *share, const struct widest *w)
{
    uint64_t mask = mask_bytes(run, w);
    uint64_t more = model_memory_product(mask, share->copies > 1 ? share->copies - 1 : 0);
    bool converted = run->engine->mask == MEMORY_MASK_CONVERTED;
    uint64_t attention = model_memory_sum(converted ? mask + mask / 2 : mask,
                                          batch_bytes(run, 2 * (h->embedding + w->query)));
    uint64_t vectors = share->gpu ? 2 * (uint64_t)h->embedding
                                  : model_memory_sum(3 * (uint64_t)h->embedding, w->query);
    uint64_t feed = model_memory_sum(vectors, share->gpu ? w->narrow : w->wide);
    feed = model_memory_sum(converted ? mask / 2 : mask, batch_bytes(run, feed));
    return model_memory_sum(more, larger(attention, feed));
}

static bool is_quantized(uint32_t type)
{
    return gguf_type_find(type)->block_elements > 1;
}

static uint64_t graph_bytes(const struct model_hparams *h, const struct memory_run *run,
                            const struct memory_share *share, const struct widest *w)
{
    uint64_t bytes = run->flash_attention
                         ? flash_bytes(h, run, share, w)
                         : scores_bytes(h, run, w, share->copies ? share->copies : 1);
    if (run->engine->copies_cache && share->gpu && run->flash_attention &&
        (is_quantized(run->type_k) || is_quantized(run->type_v)))
        bytes = model_memory_sum(bytes, w->cache_bytes);
    if (run->engine->stages && share->gpu)
        bytes = model_memory_sum(bytes, share->staged);
    return bytes;
}

/* A dense network on one device, which the logs confirm. */
static bool is_plain(const struct model_hparams *h, const struct memory_share *share)
{
    if (!share->whole || h->experts || is_latent(h))
        return false;
    for (uint32_t i = 0; i < h->layers; i++) {
        if (h->layer[i].recurrent)
            return false;
    }
    return true;
}

static uint64_t scaled(uint64_t bytes, double factor)
{
    double product = (double)bytes * factor;
    return product < (double)MEMORY_MAX ? (uint64_t)product : MEMORY_MAX;
}

static struct memory_range around(uint64_t expected, double least, double most)
{
    return (struct memory_range){scaled(expected, least), expected, scaled(expected, most)};
}

/*
 * How far logged buffers are from the formula, as factors of what is expected: the rows of
 * docs/accuracy.md, "Compute buffers".
 */
#define PLAIN_LEAST  0.98 /* dense model, one device, published */
#define PLAIN_MOST   1.15 /* likewise, and llama.cpp 2026-09 on a CPU */
#define FUSED_LEAST  0.7  /* llama.cpp 2026-09 on a CPU: flash attention, few logits */
#define OTHERS_LEAST 0.6  /* experts, MLA or several GPUs, published */
#define OTHERS_MOST  1.6

struct memory_range model_memory_compute(const struct model_hparams *h,
                                         const struct memory_run *run,
                                         const struct memory_share *share)
{
    struct widest w = find_widest(h, run, share->first, share->last);
    uint64_t graph = share->first < share->last ? graph_bytes(h, run, share, &w) : 0;
    uint64_t logits = share->output ? logits_bytes(h, run, share) : 0;
    uint64_t expected = larger(graph, logits);
    if (is_plain(h, share) && (logits >= graph || !run->flash_attention))
        return around(expected, PLAIN_LEAST, PLAIN_MOST);
    if (is_plain(h, share))
        return around(expected, FUSED_LEAST, PLAIN_MOST);
    /* the masks and copies are certain, the rest of the graph is less so */
    return around(expected, OTHERS_LEAST, OTHERS_MOST);
}

struct memory_range model_memory_compute_host(const struct model_hparams *h,
                                              const struct memory_run *run, uint32_t copies)
{
    struct widest w = find_widest(h, run, 0, h->layers);
    uint64_t masks = model_memory_product(mask_bytes(run, &w), copies ? copies : 1);
    uint64_t expected = model_memory_sum(masks, batch_bytes(run, h->embedding));
    if (!h->experts && !is_latent(h))
        return (struct memory_range){expected, expected, expected};
    /* experts that lie in RAM are computed there: their outputs side by side */
    uint64_t used = h->layer[h->layers ? h->layers - 1 : 0].experts_used;
    uint64_t more = batch_bytes(run, model_memory_product(used + 3, h->embedding));
    return (struct memory_range){expected, expected, model_memory_sum(expected, more)};
}
