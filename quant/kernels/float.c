/* Types that hold numbers and no blocks. */
#include "quant/kernels/formats.h"
#include "quant/fp.h"

#include <string.h>

QUANT_DECODER(f32)
{
    memcpy(out, blocks, n * sizeof *out);
}

QUANT_ENCODER(f32, any)
{
    (void)importance;
    memcpy(blocks, x, n * sizeof *x);
}

QUANT_DECODER(f16)
{
    const uint16_t *b = blocks;
    for (size_t i = 0; i < n; i++)
        out[i] = fp16_to_float(b[i]);
}

/* What is too large for half precision becomes its largest finite value: an infinity
 * would make the model useless. */
QUANT_ENCODER(f16, any)
{
    uint16_t *b = blocks;
    (void)importance;
    for (size_t i = 0; i < n; i++) {
        float v = x[i] > 65504.0f ? 65504.0f : x[i] < -65504.0f ? -65504.0f : x[i];
        b[i] = fp16_from_float(v);
    }
}

QUANT_DECODER(bf16)
{
    const uint16_t *b = blocks;
    for (size_t i = 0; i < n; i++)
        out[i] = bf16_to_float(b[i]);
}

/* As for half precision: 0x7f7f is the largest finite value. */
QUANT_ENCODER(bf16, any)
{
    uint16_t *b = blocks;
    (void)importance;
    for (size_t i = 0; i < n; i++) {
        uint16_t v = bf16_from_float(x[i]);
        b[i] = (v & 0x7fff) == 0x7f80 ? (uint16_t)((v & 0x8000) | 0x7f7f) : v;
    }
}

/* Integers and doubles are rounded to the nearest float. */
#define DECODE_NUMBERS(name, ctype)                                                            \
    QUANT_DECODER(name)                                                                        \
    {                                                                                          \
        for (size_t i = 0; i < n; i++) {                                                       \
            ctype v;                                                                           \
            memcpy(&v, (const char *)blocks + i * sizeof v, sizeof v);                         \
            out[i] = (float)v;                                                                 \
        }                                                                                      \
    }
DECODE_NUMBERS(f64, double)
DECODE_NUMBERS(i8, int8_t)
DECODE_NUMBERS(i16, int16_t)
DECODE_NUMBERS(i32, int32_t)
DECODE_NUMBERS(i64, int64_t)
