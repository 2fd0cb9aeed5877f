/* The codecs behind the table in traits.c: one pair of functions per type. Inside quant/
 * only. Signatures and meaning: quant_decode_fn and quant_encode_fn in quant/quant.h. */
#ifndef QUANT_FORMATS_H
#define QUANT_FORMATS_H

#include "quant/quant.h"

#define QUANT_DECODER(name)                                                                    \
    void quant_decode_##name(const void *restrict blocks, float *restrict out, size_t n)
#define QUANT_ENCODER(name)                                                                    \
    void quant_encode_##name(const float *restrict x, void *restrict blocks, size_t n,         \
                             const float *restrict importance)
#define QUANT_CODEC(name)                                                                      \
    QUANT_DECODER(name);                                                                       \
    QUANT_ENCODER(name)

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
QUANT_CODEC(q4_0);
QUANT_CODEC(q4_1);
QUANT_CODEC(q5_0);
QUANT_CODEC(q5_1);
QUANT_CODEC(q8_0);
QUANT_DECODER(q8_1);
QUANT_DECODER(q1_0);
QUANT_DECODER(q2_0);
/* k_quants.c */
QUANT_CODEC(q2_K);
QUANT_CODEC(q3_K);
QUANT_CODEC(q4_K);
QUANT_CODEC(q5_K);
QUANT_CODEC(q6_K);
QUANT_DECODER(q8_K);
/* iq.c, iq4.c */
QUANT_DECODER(iq1_s);
QUANT_DECODER(iq1_m);
QUANT_DECODER(iq2_xxs);
QUANT_DECODER(iq2_xs);
QUANT_DECODER(iq2_s);
QUANT_DECODER(iq3_xxs);
QUANT_DECODER(iq3_s);
QUANT_CODEC(iq4_nl);
QUANT_CODEC(iq4_xs);
/* ternary.c */
QUANT_CODEC(tq1_0);
QUANT_CODEC(tq2_0);
/* fp4.c */
QUANT_CODEC(mxfp4);
QUANT_DECODER(nvfp4);

#endif
