/* TQ1_0 and TQ2_0: every element is -d, 0 or d. */
#include "quant/blocks.h"
#include "quant/kernels/bytes.h"
#include "quant/kernels/formats.h"
#include "quant/fp.h"
#include "quant/kernels/group.h"

#include <math.h>
#include <string.h>

/* ---- Search: sixteen candidates for the d of one block, one a lane ---------------------- */

struct job {
    const float *x, *importance; /* the block as given; importance may be NULL */
    _Alignas(64) float magnitude[QK_K], w[QK_K];
    group_floats d, error, fitted; /* candidates; `fitted` to the elements that are not 0 */
};

static void weigh(struct job *job)
{
    const lanes floor = lanes_all(0x1p-32f);
    float largest = 0;
    for (size_t i = 0; i < QK_K; i++)
        largest = job->importance[i] > largest ? job->importance[i] : largest;
    const lanes inverse = lanes_inverse(lanes_all(largest));
    for (size_t i = 0; i < QK_K; i += QUANT_LANES) {
        const lanes a = lanes_max(lanes_load(job->importance + i) * inverse, floor);
        lanes_store(job->w + i, largest > 0 ? a : lanes_all(1));
    }
}

/* The first candidate is rounding to nearest: a model that was trained to be ternary has
 * d = max |x| in every block. */
static void start(struct job *job)
{
    float largest = 0;
    for (size_t i = 0; i < QK_K; i++) {
        const float magnitude = fabsf(job->x[i]);
        job->magnitude[i] = magnitude < GROUP_LIMIT ? magnitude : GROUP_LIMIT;
        job->w[i] = 1;
        largest = magnitude > largest ? magnitude : largest;
    }
    if (job->importance)
        weigh(job);
    for (size_t k = 0; k < GROUP; k++, largest *= 0.8f)
        job->fitted.of[k] = largest;
}

/* Takes the fitted scales as the candidates, as they are stored. What is larger than half of d
 * becomes d. */
static void try_fitted(struct job *job)
{
    FOR_LANES (at) {
        const lanes d = lanes_half_scale(group_of(&job->fitted, at)),
                    half = d * lanes_all(0.5f);
        const lanes zero = lanes_all(0);
        lanes error = zero, x_sum = zero, w_sum = zero;
        for (size_t i = 0; i < QK_K; i++) {
            const lanes x = lanes_all(job->magnitude[i]), w = lanes_all(job->w[i]);
            const lanes_mask some = lanes_less(half, x);
            const lanes r = lanes_select(some, x - d, x), of_some = lanes_select(some, w, zero);
            error = lanes_fma(w * r, r, error);
            x_sum = lanes_fma(of_some, x, x_sum);
            w_sum = w_sum + of_some;
        }
        group_set(&job->d, at, d);
        group_set(&job->error, at, error);
        group_set(&job->fitted, at, lanes_select(lanes_less(zero, w_sum), x_sum / w_sum, d));
    }
}

/* Stores the elements as 0, 1, 2; returns their error as a user computes it. */
static double take(const struct job *job, float d, uint8_t trit[QK_K])
{
    const float half = 0.5f * d;
    double error = 0;
    for (size_t i = 0; i < QK_K; i++) {
        const int level = (job->x[i] > half) - (job->x[i] < -half);
        const double r = (double)job->x[i] - (double)(d * (float)level);
        error += (job->importance ? (double)job->importance[i] : 1) * r * r;
        trit[i] = (uint8_t)(level + 1);
    }
    return error;
}

/* Searches d for the elements of a block, and stores these. */
static uint16_t fit(struct job *job, uint8_t trit[QK_K])
{
    const int rounds = 4;
    float nearest = 0, best = 0, least = INFINITY;
    start(job);
    for (int round = 0; round < rounds; round++) {
        try_fitted(job);
        nearest = round == 0 ? job->d.of[0] : nearest;
        for (size_t k = 0; k < GROUP; k++) {
            best = job->error.of[k] < least ? job->d.of[k] : best;
            least = job->error.of[k] < least ? job->error.of[k] : least;
        }
    }
    const double limit = take(job, nearest, trit);
    if (take(job, best, trit) > limit) {
        best = nearest;
        (void)take(job, best, trit);
    }
    return fp16_from_float(best);
}

/* ---- TQ1_0: five trits a byte -------------------------------------------------------- */

/*
 * A byte holds the digits of a fraction in base 3: byte = ceil(v * 256 / 243), where v has
 * five digits. Multiplying by 3 and taking what is carried out of eight bits yields them
 * one after the other. Three runs of bytes, each byte holding elements `bytes` apart:
 *
 *   qs[0..31]  5 trits: elements   0..159
 *   qs[32..47] 5 trits: elements 160..239
 *   qh[0..3]   4 trits: elements 240..255
 */
struct trit_run {
    size_t first, bytes, trits;
};
static const struct trit_run runs[] = {{0, 32, 5}, {160, 16, 5}, {240, 4, 4}};

static uint8_t pack_trits(const uint8_t *trit, const struct trit_run *run)
{
    unsigned v = 0;
    for (size_t k = 0; k < 5; k++)
        v = v * 3 + (k < run->trits ? trit[k * run->bytes] : 0);
    return (uint8_t)((v * 256 + 242) / 243);
}

/* The carry of 3 * v out of eight bits, less 1; v becomes what is left. */
static inline bytes16 next_trits(bytes16 *v)
{
    /* 3 * 86 and 3 * 171 are the first above 256 and 512; a comparison that holds is -1 */
    const bytes16 carry = -(bytes16)(*v >= 86) - (bytes16)(*v >= 171);
    *v = *v + *v + *v;
    return carry - 1;
}

/* Sixteen bytes of five trits each. */
static inline void put_trits(bytes16 v, float d, size_t bytes, float *out)
{
    for (size_t k = 0; k < 5; k++)
        put_scaled(next_trits(&v), d, out + k * bytes);
}

/* Four bytes of four trits each, to 16 elements. */
static inline void put_last_trits(const uint8_t qh[4], float d, float *out)
{
    const bytes16 powers = {1, 1, 1, 1, 3, 3, 3, 3, 9, 9, 9, 9, 27, 27, 27, 27};
    uint32_t word;
    memcpy(&word, qh, sizeof word);
    const words4 words = {word, word, word, word};
    bytes16 v = (bytes16)words * powers;
    put_scaled(next_trits(&v), d, out);
}

QUANT_DECODER(tq1_0)
{
    const struct block_tq1_0 *b = blocks;
    for (; n >= QK_K; n -= QK_K, b++, out += QK_K) {
        const float d = fp16_to_float(b->d);
        put_trits(bytes_load(b->qs), d, 32, out);
        put_trits(bytes_load(b->qs + 16), d, 32, out + 16);
        put_trits(bytes_load(b->qs + 32), d, 16, out + 160);
        put_last_trits(b->qh, d, out + 240);
    }
}

QUANT_ENCODER(tq1_0, any)
{
    struct block_tq1_0 *b = blocks;
    struct job job;
    uint8_t trit[QK_K];
    for (size_t i = 0; i + QK_K <= n; i += QK_K, b++) {
        uint8_t *byte = b->qs;
        job.x = x + i;
        job.importance = importance ? importance + i : NULL;
        b->d = fit(&job, trit);
        for (size_t r = 0; r < 3; r++) {
            byte = r == 2 ? b->qh : byte;
            for (size_t m = 0; m < runs[r].bytes; m++)
                *byte++ = pack_trits(trit + runs[r].first + m, &runs[r]);
        }
    }
}

/* ---- TQ2_0: two bits; byte m of a half holds elements m, m + 32, m + 64, m + 96 --------- */

QUANT_DECODER(tq2_0)
{
    const struct block_tq2_0 *b = blocks;
    for (; n >= QK_K; n -= QK_K, b++) {
        const float d = fp16_to_float(b->d);
        for (unsigned e = 0; e < QK_K; e += BYTES, out += BYTES) {
            const bytes16 v = bytes_load(b->qs + e / 128 * 32 + e % 32);
            put_scaled(bytes_field(v, 2 * (e % 128 / 32), 3) - 1, d, out);
        }
    }
}

QUANT_ENCODER(tq2_0, any)
{
    struct block_tq2_0 *b = blocks;
    struct job job;
    uint8_t trit[QK_K];
    for (size_t i = 0; i + QK_K <= n; i += QK_K, b++) {
        job.x = x + i;
        job.importance = importance ? importance + i : NULL;
        b->d = fit(&job, trit);
        memset(b->qs, 0, sizeof b->qs);
        for (size_t e = 0; e < QK_K; e++)
            b->qs[e / 128 * 32 + e % 32] |= (uint8_t)(trit[e] << 2 * (e % 128 / 32));
    }
}
