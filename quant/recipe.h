/* What the files of the recipe share: the rules as data, and the order of tensors. */
#ifndef QUANT_RECIPE_H
#define QUANT_RECIPE_H

#include "quant/quant.h"

/* The ids of general.file_type that rules speak of. */
enum file_type {
    FT_F32 = 0,
    FT_F16 = 1,
    FT_Q4_0 = 2,
    FT_Q4_1 = 3,
    FT_Q8_0 = 7,
    FT_Q5_0 = 8,
    FT_Q5_1 = 9,
    FT_Q2_K = 10,
    FT_Q3_K_S = 11,
    FT_Q3_K_M = 12,
    FT_Q3_K_L = 13,
    FT_Q4_K_S = 14,
    FT_Q4_K_M = 15,
    FT_Q5_K_S = 16,
    FT_Q5_K_M = 17,
    FT_Q6_K = 18,
    FT_IQ2_XXS = 19,
    FT_IQ2_XS = 20,
    FT_Q2_K_S = 21,
    FT_IQ3_XS = 22,
    FT_IQ3_XXS = 23,
    FT_IQ1_S = 24,
    FT_IQ4_NL = 25,
    FT_IQ3_S = 26,
    FT_IQ3_M = 27,
    FT_IQ2_S = 28,
    FT_IQ2_M = 29,
    FT_IQ4_XS = 30,
    FT_IQ1_M = 31,
    FT_BF16 = 32,
    FT_TQ1_0 = 36,
    FT_TQ2_0 = 37,
    FT_MXFP4_MOE = 38,
    FT_NVFP4 = 39,
    FT_Q1_0 = 40,
    FT_Q2_0 = 41
};

/* What a tensor is for, as far as the mixes tell tensors apart. */
enum recipe_role {
    ROLE_OUTPUT,    /* output.weight, or the embedding where it serves as the output */
    ROLE_EMBEDDING, /* token_embd.weight, per_layer_token_embd.weight */
    ROLE_ATTN_V,    /* and the fused tensors that hold V: attn_qkv, attn_kv_b */
    ROLE_ATTN_K,
    ROLE_ATTN_Q,
    ROLE_ATTN_OUTPUT,
    ROLE_FFN_DOWN,
    ROLE_FFN_GATE,
    ROLE_FFN_UP,
    ROLE_OTHER,
    ROLE_COUNT,
    ROLE_ANY = ROLE_COUNT /* in a rule: whatever the role */
};

/*
 * What is true of a tensor, its layer, its model and the run, as bits. Layers are
 * counted from 0 among the tensors of the same role; n is the number of layers.
 */
enum recipe_fact {
    FACT_FALCON = 1 << 0, /* the architecture is falcon */
    FACT_NOT_FALCON = 1 << 1,
    FACT_GQA_4 = 1 << 2,     /* four or more query heads share a key/value head */
    FACT_EXPERTS_4 = 1 << 3, /* four or more experts */
    FACT_EXPERTS_8 = 1 << 4, /* eight experts exactly: Mixtral */
    FACT_IMATRIX = 1 << 5,   /* an importance matrix is given */
    FACT_NO_IMATRIX = 1 << 6,
    FACT_3D = 1 << 7,          /* the tensor holds several matrices */
    FACT_FIRST_2 = 1 << 8,     /* layer < 2 */
    FACT_FIRST_4 = 1 << 9,     /* layer < 4 */
    FACT_FIRST_16TH = 1 << 10, /* layer < n/16 */
    FACT_FIRST_8TH = 1 << 11,  /* layer < n/8 */
    FACT_MIDDLE = 1 << 12,     /* n/8 <= layer < 7n/8 */
    FACT_MORE_BITS = 1 << 13   /* not MIDDLE, or every third layer of it */
};

/* The role of a tensor by its name alone: ROLE_EMBEDDING for tied embeddings too. */
enum recipe_role recipe_role_of(struct gguf_str name);

/* Whether a tensor is one of those that are quantized at all. */
bool recipe_quantizes(const struct gguf_tensor *tensor);

/* Whether a mix of this file type tells tensors apart (F32, F16 and BF16 do not). */
bool recipe_has_rules(uint32_t file_type);

/* The type that the rules give; `base` where none applies. */
uint32_t recipe_rule_type(const struct quant_mix *mix, enum recipe_role role, unsigned facts);

/* The facts about layer `layer` of `n`. */
unsigned recipe_layer_facts(uint64_t layer, uint64_t n);

/* The type to store rows of `columns` elements in where `type` is wanted: `type` itself
 * if it fits, otherwise one of similar quality with a smaller block, F16 at the end. */
uint32_t recipe_fallback(uint32_t type, uint64_t columns);

/* The number N of a tensor "blk.N...."; false if the name has another form. */
bool recipe_block_number(struct gguf_str name, uint64_t *number);

/* Writes the indices of all tensors in recipe order into `order`: outside blk. first,
 * then by block number, names bytewise. */
enum gguf_status recipe_order(const struct gguf *model, uint32_t *order,
                              struct gguf_error *err);

#endif
