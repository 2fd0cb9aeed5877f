/*
 * The blocks as they lie in a file. All fields are little-endian; half-precision floats
 * are kept as uint16_t bits. docs/blocks.md draws each one. This code reads blocks in
 * place and therefore needs a little-endian host.
 */
#ifndef QUANT_BLOCKS_H
#define QUANT_BLOCKS_H

#include <stdint.h>

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "quant/ needs a little-endian host"
#endif

#define QK_K 256 /* elements of a super-block */

struct block_q4_0 {
    uint16_t d;
    uint8_t qs[16];
};
struct block_q4_1 {
    uint16_t d, m;
    uint8_t qs[16];
};
struct block_q5_0 {
    uint16_t d;
    uint8_t qh[4], qs[16];
};
struct block_q5_1 {
    uint16_t d, m;
    uint8_t qh[4], qs[16];
};
struct block_q8_0 {
    uint16_t d;
    int8_t qs[32];
};
struct block_q8_1 {
    uint16_t d, s;
    int8_t qs[32];
};
struct block_q1_0 {
    uint16_t d;
    uint8_t qs[16];
};
struct block_q2_0 {
    uint16_t d;
    uint8_t qs[16];
};

struct block_q2_K {
    uint8_t scales[16], qs[64];
    uint16_t d, dmin;
};
struct block_q3_K {
    uint8_t hmask[32], qs[64], scales[12];
    uint16_t d;
};
struct block_q4_K {
    uint16_t d, dmin;
    uint8_t scales[12], qs[128];
};
struct block_q5_K {
    uint16_t d, dmin;
    uint8_t scales[12], qh[32], qs[128];
};
struct block_q6_K {
    uint8_t ql[128], qh[64];
    int8_t scales[16];
    uint16_t d;
};
struct block_q8_K {
    float d;
    int8_t qs[256];
    int16_t bsums[16];
};

struct block_iq2_xxs {
    uint16_t d, qs[32];
};
struct block_iq2_xs {
    uint16_t d, qs[32];
    uint8_t scales[8];
};
struct block_iq2_s {
    uint16_t d;
    uint8_t qs[32], signs[32], qh[8], scales[8];
};
struct block_iq3_xxs {
    uint16_t d;
    uint8_t qs[64], scales_signs[32];
};
struct block_iq3_s {
    uint16_t d;
    uint8_t qs[64], qh[8], signs[32], scales[4];
};
struct block_iq1_s {
    uint16_t d;
    uint8_t qs[32];
    uint16_t qh[8];
};
struct block_iq1_m {
    uint8_t qs[32], qh[16];
    uint16_t scales[4];
};
struct block_iq4_nl {
    uint16_t d;
    uint8_t qs[16];
};
struct block_iq4_xs {
    uint16_t d, scales_h;
    uint8_t scales_l[4], qs[128];
};

struct block_tq1_0 {
    uint8_t qs[48], qh[4];
    uint16_t d;
};
struct block_tq2_0 {
    uint8_t qs[64];
    uint16_t d;
};

struct block_mxfp4 {
    uint8_t e, qs[16];
};
struct block_nvfp4 {
    uint8_t d[4], qs[32];
};

#define BLOCK_SIZE(name, bytes)                                                                \
    _Static_assert(sizeof(struct block_##name) == (bytes), #name " has padding")
BLOCK_SIZE(q4_0, 18);
BLOCK_SIZE(q4_1, 20);
BLOCK_SIZE(q5_0, 22);
BLOCK_SIZE(q5_1, 24);
BLOCK_SIZE(q8_0, 34);
BLOCK_SIZE(q8_1, 36);
BLOCK_SIZE(q1_0, 18);
BLOCK_SIZE(q2_0, 18);
BLOCK_SIZE(q2_K, 84);
BLOCK_SIZE(q3_K, 110);
BLOCK_SIZE(q4_K, 144);
BLOCK_SIZE(q5_K, 176);
BLOCK_SIZE(q6_K, 210);
BLOCK_SIZE(q8_K, 292);
BLOCK_SIZE(iq2_xxs, 66);
BLOCK_SIZE(iq2_xs, 74);
BLOCK_SIZE(iq2_s, 82);
BLOCK_SIZE(iq3_xxs, 98);
BLOCK_SIZE(iq3_s, 110);
BLOCK_SIZE(iq1_s, 50);
BLOCK_SIZE(iq1_m, 56);
BLOCK_SIZE(iq4_nl, 18);
BLOCK_SIZE(iq4_xs, 136);
BLOCK_SIZE(tq1_0, 54);
BLOCK_SIZE(tq2_0, 66);
BLOCK_SIZE(mxfp4, 17);
BLOCK_SIZE(nvfp4, 36);

#endif
