/* Decoders of MXFP4 and NVFP4: 4-bit floats (E2M1) with a scale of 8 bits. */
#include "quant/blocks.h"
#include "quant/kernels/bytes.h"
#include "quant/kernels/formats.h"
#include "quant/fp.h"

/* The values of the sixteen codes, doubled to be integers; code 8 is a second zero. */
static const int8_t fp4_doubled[16] = {0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12};

#define MX 32 /* elements of a block of MXFP4 */

static inline bytes16 values_of(bytes16 codes)
{
    return bytes_lookup(bytes_load(fp4_doubled), codes);
}

QUANT_DECODER(mxfp4)
{
    const struct block_mxfp4 *b = blocks;
    for (; n >= MX; n -= MX, b++, out += MX) {
        const float d = e8m0_half_to_float(b->e);
        const bytes16 codes = bytes_load(b->qs);
        put_scaled(values_of(codes & 0xf), d, out);
        put_scaled(values_of(bytes_field(codes, 4, 0xf)), d, out + MX / 2);
    }
}

/* Four sub-blocks of 16, each with an unsigned E4M3 scale; elements 0..7 of each are in the low
 * nibbles of its 8 bytes, and 8..15 in the high ones. */
QUANT_DECODER(nvfp4)
{
    const struct block_nvfp4 *b = blocks;
    for (; n >= 64; n -= 64, b++) {
        for (size_t s = 0; s < 4; s++, out += BYTES) {
            const bytes16 codes = bytes_of_nibbles(b->qs + 8 * s);
            put_scaled(values_of(codes), ue4m3_half_to_float(b->d[s]), out);
        }
    }
}
