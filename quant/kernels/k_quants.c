/*
 * Packing of the K-quants and their decoders. The encoders are in k_encode.c.
 *
 * Levels lie in bit planes. A plane of b-bit fields over L lanes keeps L * 8/b elements in
 * L bytes: elements 0..L-1 in the low bits of bytes 0..L-1, elements L..2L-1 in the next b
 * bits of the same bytes, and so on. Q2_K for example, b = 2 and L = 32:
 *
 *            bits 7..6   5..4   3..2   1..0
 *   byte 0       e96     e64    e32    e0
 *   byte 1       e97     e65    e33    e1        ... byte 31, then elements 128..255
 *
 *   type  plane of the low bits          plane of the high bits
 *   Q2_K  qs  2 bits, 32 lanes
 *   Q3_K  qs  2 bits, 32 lanes           hmask 1 bit,  32 lanes
 *   Q4_K  qs  4 bits, 32 lanes
 *   Q5_K  qs  4 bits, 32 lanes           qh    1 bit,  32 lanes
 *   Q6_K  ql  4 bits, 64 lanes           qh    2 bits, 32 lanes
 */
#include "quant/kernels/k_quants.h"
#include "quant/kernels/bytes.h"
#include "quant/kernels/formats.h"
#include "quant/fp.h"

#include <string.h>

struct plane {
    unsigned bits, lanes;
    unsigned shift; /* where the field lies in the level */
};

static const struct plane low_2 = {2, 32, 0}, low_4 = {4, 32, 0}, low_4_wide = {4, 64, 0};
static const struct plane third_bit = {1, 32, 2}, fifth_bit = {1, 32, 4};
static const struct plane bits_4_5 = {2, 32, 4};

/* The fields of elements e..e+15, where they lie in the level. */
static inline bytes16 plane_field(struct plane plane, const uint8_t *bytes, unsigned e)
{
    const unsigned group = plane.lanes * 8 / plane.bits, in_group = e % group;
    bytes16 v = bytes_load(bytes + e / group * plane.lanes + in_group % plane.lanes);
    v = bytes_field(v, in_group / plane.lanes * plane.bits, (1u << plane.bits) - 1);
    return bytes_raise(v, plane.shift);
}

static inline void plane_read(struct plane plane, const uint8_t *restrict bytes,
                              uint8_t *restrict level)
{
    for (unsigned e = 0; e < QK_K; e += BYTES)
        bytes_store(level + e, plane_field(plane, bytes, e));
}

/* Adds the high bits to levels that have the low ones. */
static inline void plane_add(struct plane plane, const uint8_t *restrict bytes,
                             uint8_t *restrict level)
{
    for (unsigned e = 0; e < QK_K; e += BYTES)
        bytes_store(level + e, bytes_load(level + e) | plane_field(plane, bytes, e));
}

/* Sets the plane's bits in bytes, which the caller has zeroed. */
static void plane_write(struct plane plane, const uint8_t *restrict level,
                        uint8_t *restrict bytes)
{
    const unsigned mask = (1u << plane.bits) - 1;
    for (size_t e = 0; e < QK_K; bytes += plane.lanes)
        for (unsigned bit = 0; bit < 8; bit += plane.bits, e += plane.lanes)
            for (unsigned lane = 0; lane < plane.lanes; lane++)
                bytes[lane] |= (uint8_t)(((level[e + lane] >> plane.shift) & mask) << bit);
}

/* ---- Q2_K: a byte per sub-block, scale in the low half and min in the high half ---- */

static void unpack_q2_K(const void *block, struct k_fields *fields)
{
    const struct block_q2_K *b = block;
    fields->params = (struct k_params){.d = b->d, .dmin = b->dmin};
    for (int j = 0; j < 16; j++) {
        fields->params.scale[j] = (int8_t)(b->scales[j] & 15);
        fields->params.min[j] = b->scales[j] >> 4;
    }
    plane_read(low_2, b->qs, fields->level);
}

static void pack_q2_K(const struct k_fields *fields, void *block)
{
    struct block_q2_K *b = block;
    *b = (struct block_q2_K){.d = fields->params.d, .dmin = fields->params.dmin};
    for (int j = 0; j < 16; j++)
        b->scales[j] = (uint8_t)(fields->params.scale[j] | fields->params.min[j] << 4);
    plane_write(low_2, fields->level, b->qs);
}

/*
 * ---- Q3_K: 16 scales of 6 bits, stored with 32 added ----
 *
 *            bits 7..6    5..4    3..2    1..0
 *   byte j   low 4 of scale j+8 | low 4 of scale j       j = 0..7
 *   byte 8+i  high 2 of scale i+12   i+8     i+4     i   i = 0..3
 */

static void unpack_q3_K(const void *block, struct k_fields *fields)
{
    const struct block_q3_K *b = block;
    fields->params = (struct k_params){.d = b->d};
    for (int j = 0; j < 16; j++) {
        int low = (b->scales[j % 8] >> (j / 8 * 4)) & 15;
        int high = (b->scales[8 + j % 4] >> (j / 4 * 2)) & 3;
        fields->params.scale[j] = (int8_t)((low | high << 4) - 32);
    }
    plane_read(low_2, b->qs, fields->level);
    plane_add(third_bit, b->hmask, fields->level);
}

static void pack_q3_K(const struct k_fields *fields, void *block)
{
    struct block_q3_K *b = block;
    *b = (struct block_q3_K){.d = fields->params.d};
    for (int j = 0; j < 16; j++) {
        int scale = fields->params.scale[j] + 32;
        b->scales[j % 8] |= (uint8_t)((scale & 15) << (j / 8 * 4));
        b->scales[8 + j % 4] |= (uint8_t)((scale >> 4) << (j / 4 * 2));
    }
    plane_write(low_2, fields->level, b->qs);
    plane_write(third_bit, fields->level, b->hmask);
}

/*
 * ---- Q4_K and Q5_K: 8 scales and 8 mins of 6 bits in 12 bytes ----
 *
 *              bits 7..6               5..4 3..0
 *   byte j     high 2 of scale j+4     scale j              j = 0..3
 *   byte 4+j   high 2 of min j+4       min j
 *   byte 8+j   low 4 of min j+4  (7..4)     low 4 of scale j+4  (3..0)
 */

static void unpack_scales_and_mins(const uint8_t *bytes, struct k_params *params)
{
    for (int j = 0; j < 4; j++) {
        params->scale[j] = (int8_t)(bytes[j] & 63);
        params->min[j] = bytes[4 + j] & 63;
        params->scale[4 + j] = (int8_t)((bytes[8 + j] & 15) | (bytes[j] >> 6) << 4);
        params->min[4 + j] = (uint8_t)((bytes[8 + j] >> 4) | (bytes[4 + j] >> 6) << 4);
    }
}

static void pack_scales_and_mins(const struct k_params *params, uint8_t *bytes)
{
    for (int j = 0; j < 4; j++) {
        int scale = (uint8_t)params->scale[4 + j], min = params->min[4 + j];
        bytes[j] = (uint8_t)(params->scale[j] | (scale >> 4) << 6);
        bytes[4 + j] = (uint8_t)(params->min[j] | (min >> 4) << 6);
        bytes[8 + j] = (uint8_t)((scale & 15) | (min & 15) << 4);
    }
}

static void unpack_q4_K(const void *block, struct k_fields *fields)
{
    const struct block_q4_K *b = block;
    fields->params = (struct k_params){.d = b->d, .dmin = b->dmin};
    unpack_scales_and_mins(b->scales, &fields->params);
    plane_read(low_4, b->qs, fields->level);
}

static void pack_q4_K(const struct k_fields *fields, void *block)
{
    struct block_q4_K *b = block;
    *b = (struct block_q4_K){.d = fields->params.d, .dmin = fields->params.dmin};
    pack_scales_and_mins(&fields->params, b->scales);
    plane_write(low_4, fields->level, b->qs);
}

static void unpack_q5_K(const void *block, struct k_fields *fields)
{
    const struct block_q5_K *b = block;
    fields->params = (struct k_params){.d = b->d, .dmin = b->dmin};
    unpack_scales_and_mins(b->scales, &fields->params);
    plane_read(low_4, b->qs, fields->level);
    plane_add(fifth_bit, b->qh, fields->level);
}

static void pack_q5_K(const struct k_fields *fields, void *block)
{
    struct block_q5_K *b = block;
    *b = (struct block_q5_K){.d = fields->params.d, .dmin = fields->params.dmin};
    pack_scales_and_mins(&fields->params, b->scales);
    plane_write(low_4, fields->level, b->qs);
    plane_write(fifth_bit, fields->level, b->qh);
}

/* ---- Q6_K: a signed byte per scale ---------------------------------------------- */

static void unpack_q6_K(const void *block, struct k_fields *fields)
{
    const struct block_q6_K *b = block;
    fields->params = (struct k_params){.d = b->d};
    memcpy(fields->params.scale, b->scales, sizeof b->scales);
    plane_read(low_4_wide, b->ql, fields->level);
    plane_add(bits_4_5, b->qh, fields->level);
}

static void pack_q6_K(const struct k_fields *fields, void *block)
{
    struct block_q6_K *b = block;
    *b = (struct block_q6_K){.d = fields->params.d};
    memcpy(b->scales, fields->params.scale, sizeof b->scales);
    plane_write(low_4_wide, fields->level, b->ql);
    plane_write(bits_4_5, fields->level, b->qh);
}

/* ---- The table ---------------------------------------------------------------------- */

#define K_TYPE(name)                                                                           \
    const struct k_type k_type_##name = {K_SHAPE_##name, sizeof(struct block_##name),          \
                                         unpack_##name, pack_##name}
K_TYPE(q2_K);
K_TYPE(q3_K);
K_TYPE(q4_K);
K_TYPE(q5_K);
K_TYPE(q6_K);

/* ---- Decoders -------------------------------------------------------------------------- */

static inline void decode_fields(const struct k_shape *shape, const struct k_fields *fields,
                                 float *restrict out)
{
    const float d = fp16_to_float(fields->params.d);
    const float dmin = fp16_to_float(fields->params.dmin);
    const int sub_len = QK_K / shape->n_sub;
    for (int j = 0; j < shape->n_sub; j++) {
        const float scale = d * (float)fields->params.scale[j];
        const float min = dmin * (float)fields->params.min[j];
        for (int e = j * sub_len; e < (j + 1) * sub_len; e += BYTES)
            put_line(bytes_load(fields->level + e) + (uint8_t)shape->level_lo, scale, -min,
                     out + e);
    }
}

#define DECODER(name)                                                                          \
    QUANT_DECODER(name)                                                                        \
    {                                                                                          \
        const struct block_##name *b = blocks;                                                 \
        struct k_fields fields;                                                                \
        for (; n >= QK_K; n -= QK_K, b++, out += QK_K) {                                       \
            unpack_##name(b, &fields);                                                         \
            decode_fields(&k_type_##name.shape, &fields, out);                                 \
        }                                                                                      \
    }
DECODER(q2_K)
DECODER(q3_K)
DECODER(q4_K)
DECODER(q5_K)
DECODER(q6_K)

QUANT_DECODER(q8_K)
{
    const struct block_q8_K *b = blocks;
    for (; n >= QK_K; n -= QK_K, b++)
        for (size_t e = 0; e < QK_K; e += BYTES, out += BYTES)
            put_scaled(bytes_load(b->qs + e), b->d, out);
}
