/* The codecs behind the table of formats: a decoder for every type, and encoders for each
 * preset where there are any. Inside quant/ only. Signatures and meaning: quant_decode_fn and
 * quant_encode_fn in quant/quant.h. */
#ifndef QUANT_KERNELS_FORMATS_H
#define QUANT_KERNELS_FORMATS_H

#include "quant/kernels/level.h"
#include "quant/quant.h"

#define QUANT_DECODE_NAME(name)         LEVEL_NAME(quant_decode_##name)
#define QUANT_ENCODE_NAME(name, preset) LEVEL_NAME(quant_encode_##name##_##preset)

#define QUANT_DECODER(name)                                                                    \
    void QUANT_DECODE_NAME(name)(const void *restrict blocks, float *restrict out, size_t n)
#define QUANT_ENCODER(name, preset)                                                            \
    void QUANT_ENCODE_NAME(name, preset)(const float *restrict x, void *restrict blocks,       \
                                         size_t n, const float *restrict importance)

/* A type whose encoder has nothing to search for: one for all presets. */
#define QUANT_CODEC(name)                                                                      \
    QUANT_DECODER(name);                                                                       \
    QUANT_ENCODER(name, any)
/* A type with an encoder for each preset. */
#define QUANT_SEARCHED(name)                                                                   \
    QUANT_DECODER(name);                                                                       \
    QUANT_ENCODER(name, fast);                                                                 \
    QUANT_ENCODER(name, default);                                                              \
    QUANT_ENCODER(name, best)

/* float.c */
QUANT_CODEC(f32);
QUANT_CODEC(f16);
QUANT_CODEC(bf16);
QUANT_DECODER(f64);
QUANT_DECODER(i8);
QUANT_DECODER(i16);
QUANT_DECODER(i32);
QUANT_DECODER(i64);
/* basic.c */
QUANT_SEARCHED(q4_0);
QUANT_SEARCHED(q4_1);
QUANT_SEARCHED(q5_0);
QUANT_SEARCHED(q5_1);
QUANT_SEARCHED(q8_0);
QUANT_DECODER(q8_1);
QUANT_DECODER(q1_0);
QUANT_DECODER(q2_0);
/* k_quants.c */
QUANT_SEARCHED(q2_K);
QUANT_SEARCHED(q3_K);
QUANT_SEARCHED(q4_K);
QUANT_SEARCHED(q5_K);
QUANT_SEARCHED(q6_K);
QUANT_DECODER(q8_K);
/* iq.c, iq4.c */
QUANT_DECODER(iq1_s);
QUANT_DECODER(iq1_m);
QUANT_DECODER(iq2_xxs);
QUANT_DECODER(iq2_xs);
QUANT_DECODER(iq2_s);
QUANT_DECODER(iq3_xxs);
QUANT_DECODER(iq3_s);
QUANT_SEARCHED(iq4_nl);
QUANT_SEARCHED(iq4_xs);
/* ternary.c */
QUANT_CODEC(tq1_0);
QUANT_CODEC(tq2_0);
/* fp4.c */
QUANT_CODEC(mxfp4);
QUANT_DECODER(nvfp4);

/* The table of one level, in kernels/table.c; it ends with a row without a decoder. */
#define QUANT_FORMATS LEVEL_NAME(quant_formats)
extern const struct quant_format QUANT_FORMATS[];

#endif
