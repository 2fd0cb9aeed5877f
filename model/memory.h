/*
 * How much memory running a model takes: KV cache, recurrent state, compute and output
 * buffers, as llama.cpp of several eras allocates them. Sizes are bytes. Nothing here fails
 * or allocates: a size past 2^63 is UINT64_MAX / 2, which fits no machine.
 *
 * Each formula says where it comes from. "Exact" means that it gives the digits that the
 * engine's log prints for every row of that kind in docs/accuracy.md; what is not exact comes
 * as a range.
 */
#ifndef MODEL_MEMORY_H
#define MODEL_MEMORY_H

#include "model/hparams.h"

#ifdef __cplusplus
extern "C" {
#endif
#if defined(__GNUC__) /* the library hides everything else */
#pragma GCC visibility push(default)
#endif

/* The largest size: sums and products stop here. */
#define MEMORY_MAX ((uint64_t)INT64_MAX)

/* A size that is known, or only between bounds: low <= expected <= high. */
struct memory_range {
    uint64_t low, expected, high;
};

/* ---- Engines ----------------------------------------------------------------------- */

/* The attention mask of flash attention: how it is made. */
enum memory_mask {
    MEMORY_MASK_F32,       /* as f32 */
    MEMORY_MASK_CONVERTED, /* as f32, then copied to f16 */
    MEMORY_MASK_F16        /* as f16 */
};

/* What changed between eras. */
struct memory_engine {
    const char *name;      /* "C" */
    const char *summary;   /* one line for people */
    uint32_t pad;          /* the cells of a KV cache are a multiple of this */
    uint32_t pad_flash;    /* likewise with flash attention */
    uint32_t hidden;       /* k: vectors of a batch beside the logits on a GPU */
    enum memory_mask mask; /* with flash attention; f32 without */
    bool window_cache;     /* layers with a sliding window keep that window alone */
    bool latent_cache;     /* latent attention (MLA) keeps the compressed vector alone */
    bool all_outputs;      /* the reserved graph computes logits for every token of a batch */
    bool copies_cache;     /* CUDA, quantized KV: an f16 copy of the largest layer's cache */
    bool stages;           /* partly offloaded: brings weights from RAM for a batch */
    bool output_first;     /* -ngl 1 puts the output matrix on the GPU; otherwise it is last */
};

/* By position, oldest first; NULL past the end. */
const struct memory_engine *model_memory_engine_at(size_t index);
/* By name, case ignored; NULL if there is none. */
const struct memory_engine *model_memory_engine_find(const char *name);
/* The newest one. */
const struct memory_engine *model_memory_engine_newest(void);

/* ---- A run ------------------------------------------------------------------------------ */

struct memory_run {
    const struct memory_engine *engine;
    uint64_t context;      /* tokens of all sequences together (-c) */
    uint32_t sequences;    /* that run at once (-np), at least 1 */
    uint32_t batch;        /* tokens of a batch that is computed at once (-ub) */
    enum gguf_type type_k; /* of the KV cache */
    enum gguf_type type_v; /* without flash attention V cannot be quantized */
    bool flash_attention;
    bool full_window; /* --swa-full: layers with a window keep the whole context */
};

/* Whether a KV cache may have this type: F32, F16, BF16, Q8_0, Q5_1, Q5_0, Q4_1, Q4_0, IQ4_NL.
 */
bool model_memory_kv_type(uint32_t type);

/* ---- What stays for the whole run ------------------------------------------------------ */

/*
 * Cells of the KV cache of layer `layer`, all sequences together: each has context /
 * sequences, rounded up to the engine's padding; a layer with a window min(context, window +
 * batch), rounded up to 256, where the engine knows such caches.
 * Source: llama.cpp, llama_kv_cache_iswa; exact.
 */
uint64_t model_memory_cells(const struct model_hparams *h, const struct memory_run *run,
                            uint32_t layer);

/* Bytes of one cell of that layer, [0] K and [1] V: kv_heads * key_length and kv_heads *
 * value_length elements of the cache's types; latent attention has one K vector of
 * kv_lora_rank + rotated elements and no V. 0 where the layer has no cache. Exact. */
void model_memory_cell_bytes(const struct model_hparams *h, const struct memory_run *run,
                             uint32_t layer, uint64_t bytes[2]);

/* cells * bytes of a cell. */
uint64_t model_memory_kv(const struct model_hparams *h, const struct memory_run *run,
                         uint32_t layer);

/*
 * State of a recurrent layer, f32, for all sequences; 0 for other layers.
 *   Mamba, gated delta net  (conv - 1) (inner + 2 groups state) + state * inner
 *   RWKV                    token_shift * embedding + head_size * embedding
 *   short convolution       (cache - 1) embedding
 *   Kimi delta attention    3 (conv - 1) heads * dim + dim * dim * heads
 * Source: llama.cpp, llama_hparams::n_embd_r and n_embd_s; exact (Mamba 2.8B: 23.75 MiB,
 * three sequences of Qwen3.6-27B: 448.88 MiB).
 */
uint64_t model_memory_recurrent(const struct model_hparams *h, const struct memory_run *run,
                                uint32_t layer);

/* Logits of as many tokens as there are sequences, 4 bytes each, in host memory. Exact. */
uint64_t model_memory_output(const struct model_hparams *h, const struct memory_run *run);

/* ---- What a batch needs ----------------------------------------------------------------- */

/* The share of the network that a device has. */
struct memory_share {
    bool gpu;
    bool output;          /* computes the logits */
    bool whole;           /* everything but the embeddings: no other device takes part */
    uint32_t first, last; /* layers [first, last) */
    uint32_t copies;      /* of the masks: 4 where several GPUs overlap batches; else 1 */
    uint64_t staged;      /* largest weight that is brought here from RAM for a batch; 0 */
};

/*
 * The compute buffer of a device: the peak of the graph that the engine reserves, which is
 * the largest of
 *   logits     4 outputs vocab + k 4 batch embedding     (k 1; 3 for gemma4)
 *   attention  4 cells batch (heads + masks) + 4 batch (2 embedding + 2 heads key_length)
 *              without flash attention; 3 embedding + 1 heads key_length with post-norms
 *   flash      mask + 4 batch (2 embedding + 3 feed_forward) on a GPU, one embedding and the
 *              queries more on a CPU; 2 used experts on a GPU, 3 and their outputs on a CPU
 * The range is narrow where logs show the formula to be exact (a dense model on one device)
 * and wide elsewhere: experts, latent attention, recurrent layers, several devices.
 */
struct memory_range model_memory_compute(const struct model_hparams *h,
                                         const struct memory_run *run,
                                         const struct memory_share *share);

/* Compute buffer in host memory beside the GPUs: the masks and the embeddings of a batch,
 * copies * masks * cells * batch * 4 + 4 batch embedding. Exact for dense models. */
struct memory_range model_memory_compute_host(const struct model_hparams *h,
                                              const struct memory_run *run, uint32_t copies);

/* ---- Sums that stop at MEMORY_MAX ------------------------------------------------------- */

uint64_t model_memory_sum(uint64_t a, uint64_t b);
uint64_t model_memory_product(uint64_t a, uint64_t b);

#if defined(__GNUC__)
#pragma GCC visibility pop
#endif
#ifdef __cplusplus
}
#endif
#endif
