/* What the files of model/ share. */
#ifndef MODEL_INTERNAL_H
#define MODEL_INTERNAL_H

#include "model/arch.h"
#include "model/kernels/kernels.h"
#include "model/model.h"
#include "quant/levels.h"

/* ---- Weights --------------------------------------------------------------------- */

/* One tensor of the network. A row holds `columns` elements, stored as blocks of `type`. */
struct model_weight {
    const struct gguf_tensor *tensor;  /* in the file */
    uint64_t columns, rows, experts;   /* ne[0], ne[1], ne[2] */
    uint32_t type;                     /* of `data` */
    const struct gguf_type_info *info; /* of the type */
    uint64_t row_bytes;
    const unsigned char *data; /* [experts][rows][row_bytes] */
    quant_decode_fn decode;
    const struct quant_levels_format *levels; /* NULL: the type has none */
    float *vector; /* the values, of a tensor with one dimension; otherwise NULL */
    void *owned;   /* where the file is not mapped */
};

/* What a tensor is in the network; the names are in the table of weights.c. */
enum model_global_role {
    GLOBAL_TOKEN_EMBD,
    GLOBAL_POSITION_EMBD,
    GLOBAL_OUTPUT_NORM,
    GLOBAL_OUTPUT_NORM_BIAS,
    GLOBAL_OUTPUT,
    GLOBAL_OUTPUT_BIAS,
    GLOBAL_ROPE_FREQS,
    GLOBAL_ROPE_LONG,
    GLOBAL_ROPE_SHORT,
    GLOBAL_COUNT
};

enum model_layer_role {
    ROLE_ATTN_NORM,
    ROLE_ATTN_NORM_BIAS,
    ROLE_ATTN_NORM_2,
    ROLE_ATTN_NORM_2_BIAS,
    ROLE_QKV,
    ROLE_QKV_BIAS,
    ROLE_Q,
    ROLE_Q_BIAS,
    ROLE_K,
    ROLE_K_BIAS,
    ROLE_V,
    ROLE_V_BIAS,
    ROLE_Q_NORM,
    ROLE_K_NORM,
    ROLE_Q_A,
    ROLE_Q_A_NORM,
    ROLE_Q_B,
    ROLE_KV_A,
    ROLE_KV_A_NORM,
    ROLE_KV_B,
    ROLE_K_B,
    ROLE_V_B,
    ROLE_ATTN_OUT,
    ROLE_ATTN_OUT_BIAS,
    ROLE_ATTN_POST_NORM,
    ROLE_FFN_NORM,
    ROLE_FFN_NORM_BIAS,
    ROLE_GATE,
    ROLE_GATE_BIAS,
    ROLE_UP,
    ROLE_UP_BIAS,
    ROLE_DOWN,
    ROLE_DOWN_BIAS,
    ROLE_FFN_POST_NORM,
    ROLE_ROUTER,
    ROLE_EXPERT_BIAS,
    ROLE_GATE_EXPS,
    ROLE_UP_EXPS,
    ROLE_DOWN_EXPS,
    ROLE_SHARED_ROUTER,
    ROLE_GATE_SHARED,
    ROLE_UP_SHARED,
    ROLE_DOWN_SHARED,
    ROLE_COUNT
};

struct model_layer {
    struct model_weight *w[ROLE_COUNT]; /* NULL where the layer has none */
};

struct model {
    const struct gguf *gguf;
    struct model_settings settings;
    struct model_hparams h;
    const struct model_arch *arch;
    const struct model_kernels *kernels;
    const struct model_kernels8 *kernels8;
    enum quant_cpu cpu;
    int threads;
    struct model_weight *weights; /* all of them */
    size_t n_weights;
    struct model_weight *global[GLOBAL_COUNT];
    struct model_layer *layers;
};

/* Finds, checks and maps or reads all tensors. */
enum gguf_status weights_load(struct model *model, struct gguf_error *err);
void weights_free(struct model *model);

/* Decodes `n` elements of row `row` from column 0 on: n is a whole number of blocks. */
void weight_row(const struct model_weight *weight, uint64_t row, float *out);

/* Layers that are evaluated. */
static inline uint32_t model_layers(const struct model *model)
{
    return model->h.layers - model->h.nextn_layers;
}

/* MLA: the length of a head's key and value after decompression. */
struct model_lengths {
    uint32_t key, value;
};
struct model_lengths model_latent_lengths(const struct model_hparams *h);

/* Heads of a layer as attention sees them, and as they are in the cache. */
struct model_heads {
    uint32_t heads, kv_heads;
    uint32_t key, value; /* elements of one head */
};
struct model_heads model_heads(const struct model *model, uint32_t il);

/* ---- RoPE ------------------------------------------------------------------------ */

/* Angles of one kind of layer: position p rotates pair i by p * frequency[i]. */
struct model_rope {
    uint32_t dims;     /* 0: no rotation */
    double *frequency; /* [dims / 2] */
    float magnitude;   /* multiplies sine and cosine */
    float *table;      /* [tokens][dims / 2][2]: cosine and sine */
};

/* ---- Cache ----------------------------------------------------------------------- */

/* Keys and values of a layer:
 *     k  [sequences][n_ctx][kv_heads * key]
 *     v  [sequences][n_ctx][kv_heads * value], or NULL where they are part of k */
struct model_cache_layer {
    float *k, *v;
};

/* ---- Context --------------------------------------------------------------------- */

#define PART_TOKENS 512 /* evaluated at once at most */

/* Consecutive tokens of a part that continue one sequence. */
struct model_run {
    uint32_t sequence;
    uint32_t position; /* of the first */
    uint32_t first;    /* index in the part */
    uint32_t count;
};

struct model_context {
    const struct model *model;
    uint32_t n_ctx, sequences;
    uint32_t *lengths; /* [sequences] */
    struct model_cache_layer *cache;
    struct model_rope rope, rope_sliding;
    uint64_t bytes; /* allocated */

    /* The part at work: n tokens, and buffers of PART_TOKENS rows or n_ctx if that is less. */
    size_t n;
    size_t capacity;
    struct model_run *runs;
    size_t n_runs;
    uint32_t *positions; /* [n] */
    float *x;            /* [n][embedding] residual stream */
    float *normed;       /* [n][embedding] what attention sees */
    float *other;        /* [n][embedding] what feed-forward sees, where it is not normed */
    float *added;        /* [n][embedding] what a step adds to x */
    float *q;            /* [n][heads * key] */
    float *k, *v;        /* [n][kv_heads * key], [n][kv_heads * value] */
    float *qkv;          /* [n][q + k + v], or [n][latent_width] of MLA */
    float *attended;     /* [n][heads * value] */
    float *gate, *up;    /* [n][ff], or gate [n][2 ff] */
    float *router;       /* [n][experts] */
    uint32_t *chosen;    /* [n][experts_used] */
    float *gathered;     /* [n][embedding] tokens of one expert */
    float *expert_out;   /* [n][embedding] */

    /* Scratch of matrix products and attention. */
    void *packed; /* input in the order of the kernels */
    size_t packed_bytes;
    void *scratch; /* [threads][scratch_bytes] */
    size_t scratch_bytes;

    float *hidden; /* [wanted][embedding], after the final norm */
    size_t wanted, hidden_capacity;
};

/* Memory of a context that counts into ctx->bytes; NULL if there is none. Aligned to 64. */
void *context_alloc(struct model_context *ctx, uint64_t count, uint64_t size);

/* ---- Steps ----------------------------------------------------------------------- */

/* y[i] = weight . x[i] for rows i < n; x is [n][columns], y is [n][ldy]. */
struct model_product {
    const struct model_weight *weight;
    uint32_t expert;
    float *y;
    size_t ldy;
};

/* Several products of the same input: x [n][columns] for all of them. */
void model_multiply(struct model_context *ctx, const float *x, size_t n,
                    const struct model_product *products, size_t count);

/* Attention of layer il over ctx->q and the cache into ctx->attended. */
void model_attend(struct model_context *ctx, uint32_t il);

/* Appends ctx->k and ctx->v to the cache of layer il. */
void cache_store(struct model_context *ctx, uint32_t il);

/* The feed-forward part of a layer with experts: fills ctx->added. */
void step_experts(struct model_context *ctx, uint32_t il, const float *in);

/* Rows of `length` elements each, from x to y; x may be y. `stride` elements from row to
 * row. NULL weight: 1; NULL bias: 0. */
struct model_rows {
    const float *x;
    float *y;
    size_t rows, length, stride;
};
void op_norm(const struct model_context *ctx, const struct model_rows *rows,
             const struct model_weight *weight, const struct model_weight *bias);
void op_add_bias(const struct model_context *ctx, float *y, size_t n, size_t length,
                 const struct model_weight *bias);
/* x += scale * y over n elements. */
void op_add(const struct model_context *ctx, float *x, const float *y, size_t n, float scale);
void op_scale(const struct model_context *ctx, float *x, size_t n, float scale);
void op_softcap(const struct model_context *ctx, float *x, size_t n, float cap);
/* Rotates `heads` heads of each token in place: the first of token t is at x + t * stride,
 * the next `head_stride` behind it. */
struct model_rotation {
    float *x;
    size_t heads, stride, head_stride;
};
void op_rope(const struct model_context *ctx, const struct model_rope *rope,
             const struct model_rotation *rotation);
/* gate[i] = act(gate[i]) * up[i] over [n][length]; up NULL: act alone. */
struct model_gated {
    float *gate;
    const float *up;
    size_t n, length, gate_stride, up_stride;
};
void op_activate(const struct model_context *ctx, const struct model_gated *gated);

enum gguf_status rope_init(struct model_context *ctx);
void rope_free(struct model_context *ctx);
/* Fills the tables for the positions of the part. */
void rope_prepare(struct model_context *ctx);

#endif
