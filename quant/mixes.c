/* The table of mixes: what people ask for by name. */
#include "quant/recipe.h"

#include <strings.h>

#define SOURCE QUANT_TYPE_NONE

/* can_encode, wants_importance */
#define MADE               true, false
#define MADE_BY_IMPORTANCE true, true
#define KNOWN              false, false

static const struct quant_mix mixes[] = {
    {"F32", NULL, FT_F32, GGUF_F32, MADE,
     "32-bit floats: nothing is lost, twice the size of F16"},
    {"F16", NULL, FT_F16, GGUF_F16, MADE, "16-bit floats, range 6e-8 to 65504"},
    {"BF16", NULL, FT_BF16, GGUF_BF16, MADE, "16-bit floats with the range of F32"},
    {"Q4_0", NULL, FT_Q4_0, GGUF_Q4_0, MADE,
     "4 bits with a scale per 32 weights; fast on old engines"},
    {"Q4_1", NULL, FT_Q4_1, GGUF_Q4_1, MADE,
     "4 bits with a scale and a minimum per 32 weights"},
    {"Q5_0", NULL, FT_Q5_0, GGUF_Q5_0, MADE, "5 bits with a scale per 32 weights"},
    {"Q5_1", NULL, FT_Q5_1, GGUF_Q5_1, MADE,
     "5 bits with a scale and a minimum per 32 weights"},
    {"Q8_0", NULL, FT_Q8_0, GGUF_Q8_0, MADE, "8 bits: close to lossless, half the size of F16"},
    {"Q2_K", NULL, FT_Q2_K, GGUF_Q2_K, MADE,
     "2 bits, 3 to 4 for attn_v, attn_output and ffn_down"},
    {"Q2_K_S", NULL, FT_Q2_K_S, GGUF_Q2_K, MADE_BY_IMPORTANCE,
     "2 bits nearly everywhere; wants an importance matrix"},
    {"Q3_K_S", NULL, FT_Q3_K_S, GGUF_Q3_K, MADE, "3 bits everywhere"},
    {"Q3_K_M", "Q3_K", FT_Q3_K_M, GGUF_Q3_K, MADE,
     "3 bits, 4 to 5 for attn_v, attn_output and ffn_down"},
    {"Q3_K_L", NULL, FT_Q3_K_L, GGUF_Q3_K, MADE,
     "3 bits, 5 for attn_v, attn_output and ffn_down"},
    {"Q4_K_S", NULL, FT_Q4_K_S, GGUF_Q4_K, MADE,
     "4 bits, 5 in the first layers of attn_v and ffn_down"},
    {"Q4_K_M", "Q4_K", FT_Q4_K_M, GGUF_Q4_K, MADE,
     "4 bits, 6 in half of attn_v and ffn_down: the usual choice"},
    {"Q5_K_S", NULL, FT_Q5_K_S, GGUF_Q5_K, MADE, "5 bits everywhere"},
    {"Q5_K_M", "Q5_K", FT_Q5_K_M, GGUF_Q5_K, MADE, "5 bits, 6 in half of attn_v and ffn_down"},
    {"Q6_K", NULL, FT_Q6_K, GGUF_Q6_K, MADE, "6 bits everywhere: hard to tell from F16"},
    {"IQ4_NL", NULL, FT_IQ4_NL, GGUF_IQ4_NL, MADE,
     "4 bits, uneven steps, a scale per 32 weights"},
    {"IQ4_XS", NULL, FT_IQ4_XS, GGUF_IQ4_XS, MADE,
     "4 bits, uneven steps, smaller scales than IQ4_NL"},
    {"TQ1_0", NULL, FT_TQ1_0, GGUF_TQ1_0, MADE, "ternary, for models trained that way"},
    {"TQ2_0", NULL, FT_TQ2_0, GGUF_TQ2_0, MADE, "ternary, larger and faster than TQ1_0"},
    {"MXFP4_MOE", "MXFP4", FT_MXFP4_MOE, GGUF_MXFP4, MADE,
     "4-bit floats for the experts, Q8_0 for the rest"},
    {"COPY", NULL, SOURCE, SOURCE, MADE, "every tensor as it is"},

    /* Known by name, not made here. */
    {"IQ1_S", NULL, FT_IQ1_S, GGUF_IQ1_S, KNOWN, "1.6 bits by codebook"},
    {"IQ1_M", NULL, FT_IQ1_M, GGUF_IQ1_M, KNOWN, "1.8 bits by codebook"},
    {"IQ2_XXS", NULL, FT_IQ2_XXS, GGUF_IQ2_XXS, KNOWN, "2.1 bits by codebook"},
    {"IQ2_XS", NULL, FT_IQ2_XS, GGUF_IQ2_XS, KNOWN, "2.3 bits by codebook"},
    {"IQ2_S", NULL, FT_IQ2_S, GGUF_IQ2_XS, KNOWN,
     "2.3 bits by codebook, more for sensitive tensors"},
    {"IQ2_M", NULL, FT_IQ2_M, GGUF_IQ2_S, KNOWN,
     "2.6 bits by codebook, more for sensitive tensors"},
    {"IQ3_XXS", NULL, FT_IQ3_XXS, GGUF_IQ3_XXS, KNOWN, "3.1 bits by codebook"},
    {"IQ3_XS", NULL, FT_IQ3_XS, GGUF_IQ3_S, KNOWN,
     "3.4 bits by codebook, 3.1 in the middle layers"},
    {"IQ3_S", NULL, FT_IQ3_S, GGUF_IQ3_S, KNOWN, "3.4 bits by codebook"},
    {"IQ3_M", NULL, FT_IQ3_M, GGUF_IQ3_S, KNOWN,
     "3.4 bits by codebook, 4 for sensitive tensors"},
    {"NVFP4", NULL, FT_NVFP4, GGUF_NVFP4, KNOWN, "4-bit floats with a scale per 16 weights"},
    {"Q1_0", NULL, FT_Q1_0, GGUF_Q1_0, KNOWN, "1 bit, for models trained that way"},
    {"Q2_0", NULL, FT_Q2_0, GGUF_Q2_0, KNOWN, "2 bits, for models trained that way"},

    /* Were in the format; no engine reads them any more. */
    {"Q4_1_SOME_F16", NULL, 4, SOURCE, KNOWN, "removed from the format"},
    {"Q4_2", NULL, 5, SOURCE, KNOWN, "removed from the format"},
    {"Q4_3", NULL, 6, SOURCE, KNOWN, "removed from the format"},
    {"Q4_0_4_4", NULL, 33, SOURCE, KNOWN, "removed from the format"},
    {"Q4_0_4_8", NULL, 34, SOURCE, KNOWN, "removed from the format"},
    {"Q4_0_8_8", NULL, 35, SOURCE, KNOWN, "removed from the format"},
};

#define N_MIXES (sizeof mixes / sizeof mixes[0])

const struct quant_mix *quant_mix_at(size_t index)
{
    return index < N_MIXES ? &mixes[index] : NULL;
}

const struct quant_mix *quant_mix_by_name(const char *name)
{
    for (size_t i = 0; i < N_MIXES; i++) {
        if (strcasecmp(name, mixes[i].name) == 0 ||
            (mixes[i].alias && strcasecmp(name, mixes[i].alias) == 0))
            return &mixes[i];
    }
    return NULL;
}

const struct quant_mix *quant_mix_by_file_type(uint64_t file_type)
{
    for (size_t i = 0; i < N_MIXES; i++) {
        if (mixes[i].file_type == file_type && file_type != SOURCE)
            return &mixes[i];
    }
    return NULL;
}
