/*
 * Matrix products of levels and int8 activations. Sums of integers are exact, and floats are
 * added in the order of the sub-blocks with fused multiply-adds: every set of instructions
 * gives the same bytes.
 */
#include <string.h>

#include "model/kernels/inner.h"

#define DOT_OP static inline __attribute__((always_inline))

/* What the compiler knows of a product. */
struct tile_kind {
    size_t quads; /* of 4 columns in a sub-block: 4 or 8 */
    bool has_min;
    bool wide;
};

#if QUANT_LANES == 16
#define MR 6
#elif QUANT_LANES == 8
#define MR 4
#elif QUANT_LANES == 4
#define MR 8
#else
#define MR 4
#endif

#if QUANT_LANES > 1
DOT_OP int32_t four_bytes(const int8_t *x)
{
    int32_t four;
    memcpy(&four, x, sizeof four);
    return four;
}
#endif

#if QUANT_LANES >= 8
#include "model/kernels/dot8_x86.h"
#elif QUANT_LANES == 4
#include "model/kernels/dot8_neon.h"
#else
#include "model/kernels/dot8_scalar.h"
#endif

/* Instructions that every machine of the level has. */
#define DOT(name) name##_plain
#define DOT_TARGET
#include "model/kernels/dot8_tile.h"
#undef DOT
#undef DOT_TARGET

/* One sum of each row, in the order of a tile. */
static void mix(const struct kernel_mix8 *t)
{
    for (size_t v = 0; v < NR; v += QUANT_LANES) {
        lanes sums = t->add ? lanes_load(t->c + v) : lanes_all(0.0f);
        for (size_t b = 0; b < t->blocks; b++) {
            sums = lanes_fma(lanes_load(t->values + b * NR + v), lanes_all(t->dx[b]), sums);
            if (t->min)
                sums = lanes_fnma(lanes_load(t->min + b * NR + v), lanes_all(t->xs[b]), sums);
        }
        lanes_store(t->c + v, sums);
    }
}

static bool always(void)
{
    return true;
}

/* Instructions that some have. */
#if QUANT_LANES == 16
#define DOT(name)  name##_vnni
#define DOT_TARGET VNNI
#include "model/kernels/dot8_tile.h"

static bool has_vnni(void)
{
    return __builtin_cpu_supports("avx512vnni");
}
#elif defined(HAVE_DOTPROD)
#define DOT(name)  name##_dotprod
#define DOT_TARGET DOTPROD
#include "model/kernels/dot8_tile.h"

static bool has_dotprod(void)
{
    return getauxval(AT_HWCAP) & HWCAP_ASIMDDP;
}
#endif

/* What the plain instructions take off narrow and wide levels. */
#if QUANT_LANES >= 8
#define BIAS 0, 128
#elif QUANT_LANES == 4
#define BIAS 128, 128
#else
#define BIAS 0, 0
#endif

const struct model_kernels8 KERNEL_NAME(model_kernels8)[] = {
#if QUANT_LANES == 16
    {"vnni", has_vnni, MR, NR, {0, 0}, tile_vnni, row_vnni, mix},
#elif defined(HAVE_DOTPROD)
    {"dotprod", has_dotprod, MR, NR, {128, 128}, tile_dotprod, row_dotprod, mix},
#endif
    {"plain", always, MR, NR, {BIAS}, tile_plain, row_plain, mix},
    {.name = NULL},
};
