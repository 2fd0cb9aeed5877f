/* The table of formats at one level of the processor: one row a type. */
#include "quant/kernels/formats.h"

#define DECODER(id, name)                                                                      \
    {                                                                                          \
        .type = (id), .decode = QUANT_DECODE_NAME(name)                                        \
    }
/* Too few bits to be of use without importance. */
#define WEIGHED(id, name)                                                                      \
    {                                                                                          \
        .type = (id), .decode = QUANT_DECODE_NAME(name), .needs_importance = true              \
    }
#define ENCODERS(name, fast_preset, default_preset, best_preset)                               \
    .encode = QUANT_ENCODE_NAME(name, default_preset),                                         \
    .encode_fast = QUANT_ENCODE_NAME(name, fast_preset),                                       \
    .encode_best = QUANT_ENCODE_NAME(name, best_preset)
#define CODEC(id, name)                                                                        \
    {                                                                                          \
        .type = (id), .decode = QUANT_DECODE_NAME(name), ENCODERS(name, any, any, any)         \
    }
#define SEARCHED(id, name)                                                                     \
    {                                                                                          \
        .type = (id), .decode = QUANT_DECODE_NAME(name), ENCODERS(name, fast, default, best)   \
    }

const struct quant_format QUANT_FORMATS[] = {
    CODEC(GGUF_F32, f32),          CODEC(GGUF_F16, f16),           CODEC(GGUF_BF16, bf16),
    DECODER(GGUF_F64, f64),        DECODER(GGUF_I8, i8),           DECODER(GGUF_I16, i16),
    DECODER(GGUF_I32, i32),        DECODER(GGUF_I64, i64),         SEARCHED(GGUF_Q4_0, q4_0),
    SEARCHED(GGUF_Q4_1, q4_1),     SEARCHED(GGUF_Q5_0, q5_0),      SEARCHED(GGUF_Q5_1, q5_1),
    SEARCHED(GGUF_Q8_0, q8_0),     DECODER(GGUF_Q8_1, q8_1),       SEARCHED(GGUF_Q2_K, q2_K),
    SEARCHED(GGUF_Q3_K, q3_K),     SEARCHED(GGUF_Q4_K, q4_K),      SEARCHED(GGUF_Q5_K, q5_K),
    SEARCHED(GGUF_Q6_K, q6_K),     DECODER(GGUF_Q8_K, q8_K),       WEIGHED(GGUF_IQ1_S, iq1_s),
    WEIGHED(GGUF_IQ1_M, iq1_m),    WEIGHED(GGUF_IQ2_XXS, iq2_xxs), WEIGHED(GGUF_IQ2_XS, iq2_xs),
    WEIGHED(GGUF_IQ2_S, iq2_s),    WEIGHED(GGUF_IQ3_XXS, iq3_xxs), DECODER(GGUF_IQ3_S, iq3_s),
    SEARCHED(GGUF_IQ4_NL, iq4_nl), SEARCHED(GGUF_IQ4_XS, iq4_xs),  CODEC(GGUF_TQ1_0, tq1_0),
    CODEC(GGUF_TQ2_0, tq2_0),      CODEC(GGUF_MXFP4, mxfp4),       DECODER(GGUF_NVFP4, nvfp4),
    DECODER(GGUF_Q1_0, q1_0),      DECODER(GGUF_Q2_0, q2_0),       {.decode = NULL},
};
