/* The levels of the processor: one row each, what it needs, and its tables of kernels. */
#include "quant/cpu.h"

#include <stddef.h>
#include <strings.h>
#ifdef QUANT_HAS_X86
#include <cpuid.h>
#endif

struct level {
    const char *name;
    bool (*runs)(void);
    const struct quant_format *formats;
    const struct quant_levels_format *levels;
    const struct quant_measure *measure;
};

static bool always(void)
{
    return true;
}

#ifdef QUANT_HAS_X86
/* clang before 17 does not know this one by name. */
static bool has_f16c(void)
{
#if defined(__clang__) && __clang_major__ < 17
    unsigned a, b, c, d; /* slow in a virtual machine */
    return __get_cpuid(1, &a, &b, &c, &d) && (c & bit_F16C);
#else
    return __builtin_cpu_supports("f16c");
#endif
}

static bool runs_avx2(void)
{
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && has_f16c();
}

static bool runs_avx512(void)
{
    return runs_avx2() && __builtin_cpu_supports("avx512f") &&
           __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
           __builtin_cpu_supports("avx512vl");
}
#endif

/* In the order of enum quant_cpu; a row without kernels is for another kind of machine. */
static const struct level levels[] = {
    {"scalar", always, quant_formats_scalar, quant_levels_scalar, &quant_measure_scalar},
#ifdef QUANT_HAS_X86
    {"avx2", runs_avx2, quant_formats_avx2, quant_levels_avx2, &quant_measure_avx2},
    {"avx512", runs_avx512, quant_formats_avx512, quant_levels_avx512, &quant_measure_avx512},
#else
    {"avx2", NULL, NULL, NULL, NULL},
    {"avx512", NULL, NULL, NULL, NULL},
#endif
#ifdef QUANT_HAS_NEON
    {"neon", always, quant_formats_neon, quant_levels_neon, &quant_measure_neon},
#else
    {"neon", NULL, NULL, NULL, NULL},
#endif
};
#define N_LEVELS (sizeof levels / sizeof levels[0])

const char *quant_cpu_name(enum quant_cpu cpu)
{
    return (size_t)cpu < N_LEVELS ? levels[cpu].name : NULL;
}

bool quant_cpu_runs(enum quant_cpu cpu)
{
    return (size_t)cpu < N_LEVELS && levels[cpu].formats && levels[cpu].runs();
}

enum quant_cpu quant_cpu_best(void)
{
    size_t best = N_LEVELS - 1;
    while (!quant_cpu_runs((enum quant_cpu)best))
        best--;
    return (enum quant_cpu)best;
}

bool quant_cpu_find(const char *name, enum quant_cpu *cpu)
{
    for (size_t i = 0; i < N_LEVELS; i++) {
        if (strcasecmp(levels[i].name, name) == 0) {
            *cpu = (enum quant_cpu)i;
            return true;
        }
    }
    return false;
}

const struct quant_format *quant_format_at(uint32_t type, enum quant_cpu cpu)
{
    if (!quant_cpu_runs(cpu))
        return NULL;
    for (const struct quant_format *f = levels[cpu].formats; f->decode; f++) {
        if (f->type == type)
            return f;
    }
    return NULL;
}

const struct quant_format *quant_format_find(uint32_t type)
{
    return quant_format_at(type, quant_cpu_best());
}

const struct quant_levels_format *quant_levels_at(uint32_t type, enum quant_cpu cpu)
{
    if (!quant_cpu_runs(cpu))
        return NULL;
    for (const struct quant_levels_format *f = levels[cpu].levels; f->unpack; f++) {
        if (f->type == type)
            return f;
    }
    return NULL;
}

const struct quant_measure *quant_measure_at(enum quant_cpu cpu)
{
    return quant_cpu_runs(cpu) ? levels[cpu].measure : NULL;
}

quant_encode_fn quant_encoder(const struct quant_format *format, enum quant_preset preset)
{
    switch (preset) {
    case QUANT_PRESET_FAST:
        return format->encode_fast;
    case QUANT_PRESET_BEST:
        return format->encode_best;
    default:
        return format->encode;
    }
}
