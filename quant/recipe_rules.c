/*
 * The rules of the mixes as tables: what is quantized, what a tensor is for, which type
 * a mix gives it, and what replaces a type whose blocks do not divide a row.
 * docs/recipes.md says the same in words.
 */
#include "quant/recipe.h"

#include <string.h>

/* ---- Names --------------------------------------------------------------------- */

enum name_match { NAME_IS, NAME_HAS, NAME_ENDS };

struct name_pattern {
    enum name_match match;
    const char *text;
};

static bool matches(struct gguf_str name, struct name_pattern pattern)
{
    size_t size = strlen(pattern.text);
    if (size > name.size)
        return false;
    size_t last = name.size - size; /* the last place where it can start */
    if (pattern.match == NAME_IS && last != 0)
        return false;
    for (size_t i = pattern.match == NAME_HAS ? 0 : last; i <= last; i++) {
        if (memcmp(name.data + i, pattern.text, size) == 0)
            return true;
    }
    return false;
}

/* Small or delicate tensors, whatever their shape. */
static const struct name_pattern kept[] = {
    {NAME_HAS, "_norm.weight"},
    /* routers of experts */
    {NAME_HAS, "ffn_gate_inp.weight"},
    {NAME_HAS, "ffn_gate_tid2eid"},
    /* positions and token types */
    {NAME_IS, "position_embd.weight"},
    {NAME_IS, "token_types.weight"},
    {NAME_HAS, "attn_rel_b.weight"},
    /* Gemma 3n */
    {NAME_HAS, "altup"},
    {NAME_HAS, "laurel"},
    {NAME_HAS, "per_layer_model_proj"},
    /* convolutions of state-space models */
    {NAME_HAS, "ssm_conv1d"},
    {NAME_HAS, "shortconv.conv.weight"},
    /* RWKV */
    {NAME_HAS, "time_mix_first.weight"},
    {NAME_HAS, "time_mix_w0.weight"},
    {NAME_HAS, "time_mix_w1.weight"},
    {NAME_HAS, "time_mix_w2.weight"},
    {NAME_HAS, "time_mix_v0.weight"},
    {NAME_HAS, "time_mix_v1.weight"},
    {NAME_HAS, "time_mix_v2.weight"},
    {NAME_HAS, "time_mix_a0.weight"},
    {NAME_HAS, "time_mix_a1.weight"},
    {NAME_HAS, "time_mix_a2.weight"},
    {NAME_HAS, "time_mix_g1.weight"},
    {NAME_HAS, "time_mix_g2.weight"},
    {NAME_HAS, "time_mix_decay_w1.weight"},
    {NAME_HAS, "time_mix_decay_w2.weight"},
    {NAME_HAS, "time_mix_lerp_fused.weight"},
    /* sparse attention */
    {NAME_HAS, "indexer.k_proj"},
    {NAME_HAS, "indexer.q_proj"},
    /* vision and audio */
    {NAME_HAS, ".position_embd"},
    {NAME_HAS, "sam.pos_embd"},
    {NAME_HAS, "sam.neck."},
    {NAME_HAS, "sam.net_"},
    {NAME_HAS, ".rel_pos"},
    {NAME_HAS, ".patch_embd"},
    {NAME_HAS, ".patch_merger"},
    {NAME_HAS, "a.rvq.codebook"},
    {NAME_HAS, "mm.a.code_embd"},
};

/* The first that matches is the role; most match inside the name, so that
 * ffn_down_exps and ffn_down_shexp are ffn_down. */
static const struct {
    enum recipe_role role;
    struct name_pattern name;
} roles[] = {
    {ROLE_OUTPUT, {NAME_IS, "output.weight"}},
    {ROLE_EMBEDDING, {NAME_IS, "token_embd.weight"}},
    {ROLE_EMBEDDING, {NAME_IS, "per_layer_token_embd.weight"}},
    {ROLE_ATTN_V, {NAME_HAS, "attn_qkv.weight"}},
    {ROLE_ATTN_V, {NAME_HAS, "attn_kv_b.weight"}},
    {ROLE_ATTN_V, {NAME_HAS, "attn_v.weight"}},
    {ROLE_ATTN_K, {NAME_HAS, "attn_k.weight"}},
    {ROLE_ATTN_Q, {NAME_HAS, "attn_q.weight"}},
    {ROLE_ATTN_OUTPUT, {NAME_HAS, "attn_output.weight"}},
    {ROLE_FFN_UP, {NAME_HAS, "ffn_up"}},
    {ROLE_FFN_GATE, {NAME_HAS, "ffn_gate"}},
    {ROLE_FFN_DOWN, {NAME_HAS, "ffn_down"}},
};

enum recipe_role recipe_role_of(struct gguf_str name)
{
    for (size_t i = 0; i < sizeof roles / sizeof roles[0]; i++) {
        if (matches(name, roles[i].name))
            return roles[i].role;
    }
    return ROLE_OTHER;
}

bool recipe_quantizes(const struct gguf_tensor *tensor)
{
    /* A vector stays one however many sizes of 1 the file appends to it. */
    if (tensor->ne[1] <= 1 && tensor->ne[2] <= 1 && tensor->ne[3] <= 1)
        return false;
    if (tensor->type >= GGUF_I8 && tensor->type <= GGUF_I64) /* tables of indices */
        return false;
    if (!matches(tensor->name, (struct name_pattern){NAME_ENDS, "weight"}))
        return false;
    for (size_t i = 0; i < sizeof kept / sizeof kept[0]; i++) {
        if (matches(tensor->name, kept[i]))
            return false;
    }
    return true;
}

/* ---- Mixes ---------------------------------------------------------------------- */

/* Sets of mixes: bits numbered by file type. */
#define MIX(name) (UINT64_C(1) << FT_##name)
#define FLOATS    (MIX(F32) | MIX(F16) | MIX(BF16))
#define ALL       (~FLOATS)
/* The codebook types below three bits, which have rules of their own. */
#define IQ1  (MIX(IQ1_S) | MIX(IQ1_M))
#define IQ2X (MIX(IQ2_XXS) | MIX(IQ2_XS))
#define IQ2  (MIX(IQ2_S) | MIX(IQ2_M))
#define LOW  (IQ1 | IQ2X | IQ2)
#define IQ4  (MIX(IQ4_NL) | MIX(IQ4_XS))

/*
 * One row: in these mixes, a tensor of this role of which all these facts are true gets
 * this type. The first row that fits counts; where none does, it is the base type.
 */
struct rule {
    enum recipe_role role;
    uint64_t mixes;
    unsigned facts;
    uint32_t type;
};

static const struct rule rules[] = {
    {ROLE_OUTPUT, MIX(MXFP4_MOE) | MIX(Q8_0), 0, GGUF_Q8_0},
    {ROLE_OUTPUT, ALL, FACT_FALCON, GGUF_Q8_0},
    {ROLE_OUTPUT, LOW | MIX(IQ3_XXS), 0, GGUF_Q5_K},
    {ROLE_OUTPUT, ALL, 0, GGUF_Q6_K},

    {ROLE_ANY, MIX(MXFP4_MOE), FACT_3D, GGUF_MXFP4},
    {ROLE_ANY, MIX(MXFP4_MOE), 0, GGUF_Q8_0},

    {ROLE_EMBEDDING, IQ1 | IQ2X, 0, GGUF_Q2_K},
    {ROLE_EMBEDDING, IQ2 | MIX(IQ3_XXS), 0, GGUF_IQ3_S},
    {ROLE_EMBEDDING, MIX(TQ1_0) | MIX(TQ2_0) | MIX(Q2_0), 0, GGUF_Q4_K},

    {ROLE_ATTN_V, LOW, FACT_GQA_4, GGUF_Q4_K},
    {ROLE_ATTN_V, LOW, FACT_EXPERTS_4, GGUF_Q4_K},
    {ROLE_ATTN_V, IQ2, 0, GGUF_IQ3_S},
    {ROLE_ATTN_V, LOW, 0, GGUF_Q2_K},
    {ROLE_ATTN_V, ALL, FACT_EXPERTS_8, GGUF_Q8_0},
    {ROLE_ATTN_V, MIX(Q2_K) | MIX(Q2_K_S), FACT_GQA_4, GGUF_Q4_K},
    {ROLE_ATTN_V, MIX(Q2_K), 0, GGUF_Q3_K},
    {ROLE_ATTN_V, MIX(IQ3_XXS) | MIX(IQ3_XS) | MIX(IQ3_S), FACT_GQA_4, GGUF_Q4_K},
    {ROLE_ATTN_V, MIX(IQ3_XXS), FACT_NO_IMATRIX, GGUF_IQ3_S},
    {ROLE_ATTN_V, MIX(IQ3_M), 0, GGUF_Q4_K},
    {ROLE_ATTN_V, MIX(Q3_K_M), FACT_FIRST_2, GGUF_Q5_K},
    {ROLE_ATTN_V, MIX(Q3_K_M), 0, GGUF_Q4_K},
    {ROLE_ATTN_V, MIX(Q3_K_L), 0, GGUF_Q5_K},
    {ROLE_ATTN_V, IQ4, FACT_GQA_4, GGUF_Q5_K},
    {ROLE_ATTN_V, MIX(Q4_K_S), FACT_FIRST_4, GGUF_Q5_K},
    {ROLE_ATTN_V, MIX(Q4_K_M) | MIX(Q5_K_M), FACT_MORE_BITS, GGUF_Q6_K},

    {ROLE_ATTN_K, LOW, FACT_EXPERTS_8, GGUF_Q4_K},
    {ROLE_ATTN_K, ALL, FACT_EXPERTS_8, GGUF_Q8_0},
    {ROLE_ATTN_K, MIX(IQ3_XS), 0, GGUF_IQ3_XXS},
    {ROLE_ATTN_K, MIX(IQ3_XXS), 0, GGUF_IQ2_S},

    {ROLE_ATTN_Q, MIX(IQ3_XS), 0, GGUF_IQ3_XXS},
    {ROLE_ATTN_Q, MIX(IQ3_XXS), 0, GGUF_IQ2_S},

    {ROLE_ATTN_OUTPUT, LOW, FACT_EXPERTS_8, GGUF_Q5_K},
    {ROLE_ATTN_OUTPUT, IQ1, 0, GGUF_IQ2_XXS},
    {ROLE_ATTN_OUTPUT, IQ2, 0, GGUF_IQ3_S},
    {ROLE_ATTN_OUTPUT, MIX(Q3_K_L), FACT_FALCON, GGUF_Q4_K},
    {ROLE_ATTN_OUTPUT, MIX(Q3_K_L), FACT_EXPERTS_8, GGUF_Q3_K},
    {ROLE_ATTN_OUTPUT,
     MIX(Q2_K) | MIX(Q3_K_S) | MIX(Q3_K_M) | MIX(Q4_K_S) | MIX(Q4_K_M) | MIX(IQ3_XXS) |
         MIX(IQ3_XS) | MIX(IQ3_S) | MIX(IQ3_M) | IQ4,
     FACT_NOT_FALCON | FACT_EXPERTS_8, GGUF_Q5_K},
    {ROLE_ATTN_OUTPUT, MIX(Q2_K), FACT_NOT_FALCON, GGUF_Q3_K},
    {ROLE_ATTN_OUTPUT, MIX(Q3_K_M) | MIX(IQ3_M), FACT_NOT_FALCON, GGUF_Q4_K},
    {ROLE_ATTN_OUTPUT, MIX(Q3_K_L), 0, GGUF_Q5_K},
    {ROLE_ATTN_OUTPUT, MIX(IQ3_XXS), FACT_NOT_FALCON, GGUF_IQ3_S},

    {ROLE_FFN_DOWN, IQ1 | IQ2X, FACT_FIRST_8TH, GGUF_Q2_K},
    {ROLE_FFN_DOWN, IQ2, FACT_FIRST_8TH, GGUF_IQ3_S},
    {ROLE_FFN_DOWN, MIX(Q2_K), 0, GGUF_Q3_K},
    {ROLE_FFN_DOWN, MIX(Q2_K_S), FACT_FIRST_8TH, GGUF_Q4_K},
    {ROLE_FFN_DOWN, MIX(IQ3_XXS), FACT_NO_IMATRIX | FACT_FIRST_8TH, GGUF_Q4_K},
    {ROLE_FFN_DOWN, MIX(IQ3_XXS), FACT_NO_IMATRIX, GGUF_Q3_K},
    {ROLE_FFN_DOWN, MIX(Q3_K_M), FACT_FIRST_16TH, GGUF_Q5_K},
    {ROLE_FFN_DOWN, MIX(Q3_K_M), FACT_NOT_FALCON, GGUF_Q4_K},
    {ROLE_FFN_DOWN, MIX(Q3_K_M), FACT_MORE_BITS, GGUF_Q4_K},
    {ROLE_FFN_DOWN, MIX(IQ3_M), FACT_FIRST_8TH, GGUF_Q4_K},
    {ROLE_FFN_DOWN, MIX(IQ3_M), FACT_EXPERTS_8 | FACT_MORE_BITS, GGUF_Q4_K},
    {ROLE_FFN_DOWN, MIX(Q3_K_L), FACT_FALCON, GGUF_Q4_K},
    {ROLE_FFN_DOWN, MIX(Q3_K_L), 0, GGUF_Q5_K},
    {ROLE_FFN_DOWN, MIX(Q4_K_M), FACT_FALCON | FACT_FIRST_16TH, GGUF_Q6_K},
    {ROLE_FFN_DOWN, MIX(Q4_K_M), FACT_FALCON | FACT_MORE_BITS, GGUF_Q5_K},
    {ROLE_FFN_DOWN, MIX(Q4_K_M), FACT_NOT_FALCON | FACT_MORE_BITS, GGUF_Q6_K},
    {ROLE_FFN_DOWN, MIX(Q5_K_M), FACT_MORE_BITS, GGUF_Q6_K},
    {ROLE_FFN_DOWN, IQ4, FACT_NO_IMATRIX | FACT_FIRST_8TH, GGUF_Q5_K},
    {ROLE_FFN_DOWN, MIX(Q4_K_S), FACT_NOT_FALCON | FACT_FIRST_8TH, GGUF_Q5_K},
    /* With weights Q4_0 and Q5_0 can go wrong in the first layers. */
    {ROLE_FFN_DOWN, MIX(Q4_0), FACT_IMATRIX | FACT_FIRST_8TH, GGUF_Q4_1},
    {ROLE_FFN_DOWN, MIX(Q5_0), FACT_IMATRIX | FACT_FIRST_8TH, GGUF_Q5_1},

    {ROLE_FFN_GATE, MIX(IQ3_XS), FACT_MIDDLE, GGUF_IQ3_XXS},
    {ROLE_FFN_UP, MIX(IQ3_XS), FACT_MIDDLE, GGUF_IQ3_XXS},
};

static uint64_t mix_bit(uint32_t file_type)
{
    return file_type < 64 ? UINT64_C(1) << file_type : 0;
}

bool recipe_has_rules(uint32_t file_type)
{
    return (mix_bit(file_type) & ALL) != 0;
}

uint32_t recipe_rule_type(const struct quant_mix *mix, enum recipe_role role, unsigned facts)
{
    uint64_t bit = mix_bit(mix->file_type);
    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++) {
        const struct rule *rule = &rules[i];
        bool same_role = rule->role == role || rule->role == ROLE_ANY;
        if (same_role && (rule->mixes & bit) && (rule->facts & ~facts) == 0)
            return rule->type;
    }
    return mix->base;
}

unsigned recipe_layer_facts(uint64_t layer, uint64_t n)
{
    uint64_t early = n / 8;
    bool middle = layer >= early && layer < 7 * n / 8;
    unsigned facts = 0;
    if (layer < 2)
        facts |= FACT_FIRST_2;
    if (layer < 4)
        facts |= FACT_FIRST_4;
    if (layer < n / 16)
        facts |= FACT_FIRST_16TH;
    if (layer < early)
        facts |= FACT_FIRST_8TH;
    if (middle)
        facts |= FACT_MIDDLE;
    if (!middle || (layer - early) % 3 == 2)
        facts |= FACT_MORE_BITS;
    return facts;
}

/* ---- Fallbacks -------------------------------------------------------------------- */

static const struct {
    uint32_t type, smaller;
} fallbacks[] = {
    {GGUF_Q2_K, GGUF_Q4_0},    {GGUF_Q3_K, GGUF_Q4_0},      {GGUF_Q4_K, GGUF_Q5_0},
    {GGUF_Q5_K, GGUF_Q5_1},    {GGUF_Q6_K, GGUF_Q8_0},      {GGUF_IQ4_XS, GGUF_IQ4_NL},
    {GGUF_TQ1_0, GGUF_Q4_0},   {GGUF_TQ2_0, GGUF_Q4_0},     {GGUF_IQ1_S, GGUF_IQ4_NL},
    {GGUF_IQ1_M, GGUF_IQ4_NL}, {GGUF_IQ2_XXS, GGUF_IQ4_NL}, {GGUF_IQ2_XS, GGUF_IQ4_NL},
    {GGUF_IQ2_S, GGUF_IQ4_NL}, {GGUF_IQ3_XXS, GGUF_IQ4_NL}, {GGUF_IQ3_S, GGUF_IQ4_NL},
    {GGUF_Q2_0, GGUF_Q4_0},
};

static bool divides(uint32_t type, uint64_t columns)
{
    const struct gguf_type_info *info = gguf_type_find(type);
    return info && info->block_elements && columns % info->block_elements == 0;
}

uint32_t recipe_fallback(uint32_t type, uint64_t columns)
{
    if (divides(type, columns))
        return type;
    for (size_t i = 0; i < sizeof fallbacks / sizeof fallbacks[0]; i++) {
        if (fallbacks[i].type == type && divides(fallbacks[i].smaller, columns))
            return fallbacks[i].smaller;
    }
    return GGUF_F16;
}
