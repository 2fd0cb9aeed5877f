/*
 * checkproducts [--cpu LEVEL]
 *
 * Runs the products of model/kernels/, of floats and of levels with bytes, with every set of
 * instructions of every level that this machine runs, on random and extreme numbers, and
 * compares the sums with those of a loop in plain C, bit by bit. Prints digests, the same on
 * every machine. Exit: 0 all the same, 1 something differs, 2 trouble.
 */
#include "model/kernels/kernels.h"
#include "quant/fp.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

enum { COLUMNS = KERNEL_ROW_COLUMNS, MAX_SUBS = COLUMNS / 16 };

/* The forms that levels have (quant/levels.h). */
static const struct form {
    unsigned sub;
    int offset;
    bool has_min;
    uint8_t most; /* the highest level */
} forms[] = {{32, 8, false, 15}, {32, 0, true, 31},   {32, 128, false, 255},
             {16, 0, true, 3},   {16, 32, false, 63}, {16, 4, false, 127}};

/* Rows of weights and of inputs in their natural order. */
struct operands {
    uint8_t w[KERNEL_MAX_NR][COLUMNS];
    float scale[KERNEL_MAX_NR][MAX_SUBS], min[KERNEL_MAX_NR][MAX_SUBS];
    int8_t x[KERNEL_MAX_MR][COLUMNS];
    float dx[KERNEL_MAX_MR][MAX_SUBS];
    float c[KERNEL_MAX_MR][KERNEL_MAX_NR];
};

/* The same as a kernel takes them, `mr` inputs together. */
struct laid_out {
    uint8_t w[KERNEL_MAX_NR * COLUMNS];
    float scale[KERNEL_MAX_NR * MAX_SUBS], min[KERNEL_MAX_NR * MAX_SUBS];
    int8_t x[KERNEL_MAX_MR * COLUMNS];
    float dx[KERNEL_MAX_MR * MAX_SUBS], xs[KERNEL_MAX_MR * MAX_SUBS];
    int32_t start[KERNEL_MAX_MR * MAX_SUBS];
    float c[KERNEL_MAX_MR * KERNEL_MAX_NR];
};

struct problem {
    const struct form *form;
    size_t columns;
    bool add;
    struct operands in;
    float expected[KERNEL_MAX_MR][KERNEL_MAX_NR];
};

/* ---- Numbers --------------------------------------------------------------------- */

static uint32_t next_random(uint64_t *seed)
{
    *seed = *seed * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(*seed >> 32);
}

static float any_float(uint64_t *seed)
{
    return (float)((int32_t)next_random(seed) >> 8) * 0x1p-24f;
}

/* Every third row of weights and of inputs is extreme. */
static void fill(struct problem *p, uint64_t seed)
{
    for (size_t r = 0; r < KERNEL_MAX_NR; r++) {
        for (size_t j = 0; j < COLUMNS; j++)
            p->in.w[r][j] = r % 3 == 2 ? (r % 2 ? p->form->most : 0)
                                       : (uint8_t)(next_random(&seed) % (p->form->most + 1u));
        for (size_t b = 0; b < MAX_SUBS; b++) {
            p->in.scale[r][b] = any_float(&seed);
            p->in.min[r][b] = any_float(&seed);
        }
    }
    for (size_t i = 0; i < KERNEL_MAX_MR; i++) {
        for (size_t j = 0; j < COLUMNS; j++)
            p->in.x[i][j] = i % 3 == 2 ? (i % 2 ? 127 : -127)
                                       : (int8_t)((int)(next_random(&seed) % 255) - 127);
        for (size_t b = 0; b < MAX_SUBS; b++)
            p->in.dx[i][b] = any_float(&seed);
        for (size_t r = 0; r < KERNEL_MAX_NR; r++)
            p->in.c[i][r] = any_float(&seed);
    }
}

/* ---- In plain C ------------------------------------------------------------------ */

static int32_t input_sum(const struct problem *p, size_t i, size_t b)
{
    int32_t sum = 0;
    for (size_t j = b * p->form->sub; j < (b + 1) * p->form->sub; j++)
        sum += p->in.x[i][j];
    return sum;
}

static float expect(const struct problem *p, size_t i, size_t r)
{
    float c = p->add ? p->in.c[i][r] : 0.0f;
    for (size_t b = 0; b < p->columns / p->form->sub; b++) {
        int32_t sum = 0;
        for (size_t j = b * p->form->sub; j < (b + 1) * p->form->sub; j++)
            sum += (p->in.w[r][j] - p->form->offset) * p->in.x[i][j];
        c = fmaf((float)sum * p->in.scale[r][b], p->in.dx[i][b], c);
        if (p->form->has_min)
            c = fmaf(-p->in.min[r][b], p->in.dx[i][b] * (float)input_sum(p, i, b), c);
    }
    return c;
}

/* ---- With kernels ---------------------------------------------------------------- */

/* Inputs first .. first + mr of the tile. */
static void lay_out_inputs(const struct problem *p, size_t first, size_t mr, int bias,
                           struct laid_out *to)
{
    for (size_t i = 0; i < mr; i++) {
        for (size_t j = 0; j < p->columns; j++)
            to->x[(j / 4 * mr + i) * 4 + j % 4] = p->in.x[first + i][j];
        for (size_t b = 0; b < p->columns / p->form->sub; b++) {
            int32_t sum = input_sum(p, first + i, b);
            to->dx[b * mr + i] = p->in.dx[first + i][b];
            to->xs[b * mr + i] = p->in.dx[first + i][b] * (float)sum;
            to->start[b * mr + i] = (bias - p->form->offset) * sum;
        }
    }
}

static void lay_out(const struct problem *p, const struct model_kernels8 *set,
                    struct laid_out *to)
{
    for (size_t r = 0; r < set->nr; r++) {
        for (size_t j = 0; j < p->columns; j++)
            to->w[(j / 4 * set->nr + r) * 4 + j % 4] = p->in.w[r][j];
        for (size_t b = 0; b < p->columns / p->form->sub; b++) {
            to->scale[b * set->nr + r] = p->in.scale[r][b];
            to->min[b * set->nr + r] = p->in.min[r][b];
        }
    }
}

static bool is_wide(const struct form *form)
{
    return form->offset == 128;
}

/* Whether a tile gives what is expected. */
static bool check_tile(const struct problem *p, const struct model_kernels8 *set)
{
    static struct laid_out l;
    const struct form *form = p->form;
    lay_out(p, set, &l);
    lay_out_inputs(p, 0, set->mr, set->bias[is_wide(form)], &l);
    for (size_t i = 0; i < set->mr; i++)
        memcpy(l.c + i * set->nr, p->in.c[i], set->nr * sizeof(float));
    struct kernel_tile8 tile = {.w = l.w,
                                .scale = l.scale,
                                .min = form->has_min ? l.min : NULL,
                                .x = l.x,
                                .dx = l.dx,
                                .xs = l.xs,
                                .start = l.start,
                                .c = l.c,
                                .blocks = p->columns / form->sub,
                                .sub = form->sub,
                                .wide = is_wide(form),
                                .add = p->add};
    set->tile(&tile);
    for (size_t i = 0; i < set->mr; i++)
        if (memcmp(l.c + i * set->nr, p->expected[i], set->nr * sizeof(float)) != 0)
            return false;
    return true;
}

/* Values of the sub-blocks of row r with the input that is laid out, [blocks][nr]. */
static void add_row(const struct problem *p, const struct model_kernels8 *set, size_t r,
                    const struct laid_out *l, float *values)
{
    float found[MAX_SUBS] = {0};
    struct kernel_row8 row = {.w = p->in.w[r],
                              .scale = p->in.scale[r],
                              .x = l->x,
                              .start = l->start,
                              .values = found,
                              .blocks = p->columns / p->form->sub,
                              .sub = p->form->sub,
                              .wide = is_wide(p->form)};
    set->row(&row);
    for (size_t b = 0; b < row.blocks; b++)
        values[b * set->nr + r] = found[b];
}

/* Whether input i, by itself, gives what is expected. */
static bool check_rows(const struct problem *p, const struct model_kernels8 *set, size_t i)
{
    static struct laid_out l; /* of one input: its natural order */
    static float values[MAX_SUBS * KERNEL_MAX_NR];
    memset(l.x, 0, sizeof l.x);
    lay_out(p, set, &l);
    lay_out_inputs(p, i, 1, set->bias[is_wide(p->form)], &l);
    for (size_t r = 0; r < set->nr; r++)
        add_row(p, set, r, &l, values);
    memcpy(l.c, p->in.c[i], set->nr * sizeof(float));
    struct kernel_mix8 mix = {.values = values,
                              .min = p->form->has_min ? l.min : NULL,
                              .dx = l.dx,
                              .xs = l.xs,
                              .c = l.c,
                              .blocks = p->columns / p->form->sub,
                              .add = p->add};
    set->mix(&mix);
    return memcmp(l.c, p->expected[i], set->nr * sizeof(float)) == 0;
}

static int check_set(const struct problem *p, enum quant_cpu cpu,
                     const struct model_kernels8 *set)
{
    bool tile = check_tile(p, set), row = true;
    for (size_t i = 0; i < KERNEL_MAX_MR; i++)
        row &= check_rows(p, set, i);
    if (!tile || !row)
        fprintf(stderr, "%s (%s): %s%s differs: sub %u, offset %d, %zu columns\n",
                quant_cpu_name(cpu), set->name, tile ? "" : "tile ", row ? "" : "row",
                p->form->sub, p->form->offset, p->columns);
    return !tile || !row;
}

static int check_levels(const struct problem *p, int only)
{
    int bad = 0;
    for (int cpu = 0; quant_cpu_name((enum quant_cpu)cpu); cpu++) {
        enum quant_cpu level = (enum quant_cpu)cpu;
        if (!quant_cpu_runs(level) || (only >= 0 && only != cpu))
            continue;
        for (const struct model_kernels8 *set = model_kernels8_of(level); set->name; set++)
            if (set->runs())
                bad |= check_set(p, level, set);
    }
    return bad;
}

/* Names of the sets that run, to see that they do. */
static void print_sets(int only)
{
    for (int cpu = 0; quant_cpu_name((enum quant_cpu)cpu); cpu++) {
        if (!quant_cpu_runs((enum quant_cpu)cpu) || (only >= 0 && only != cpu))
            continue;
        const struct model_kernels8 *set = model_kernels8_of((enum quant_cpu)cpu);
        for (; set->name; set++)
            if (set->runs())
                fprintf(stderr, "%s: %s\n", quant_cpu_name((enum quant_cpu)cpu), set->name);
    }
}

/* ---- Floats ---------------------------------------------------------------------- */

enum { MOST_FLOATS = 300, ODD = 1 /* where rows begin: weights may be of any alignment */ };

struct floats {
    size_t columns;
    bool add;
    float w[KERNEL_MAX_NR][MOST_FLOATS];
    float x[KERNEL_MAX_MR][MOST_FLOATS];
    float c[KERNEL_MAX_MR][KERNEL_MAX_NR], expected[KERNEL_MAX_MR][KERNEL_MAX_NR];
};

/* Weights that half precision and BF16 hold alike, and inputs of any size. */
static void fill_floats(struct floats *p, uint64_t seed)
{
    for (size_t r = 0; r < KERNEL_MAX_NR; r++)
        for (size_t j = 0; j < MOST_FLOATS; j++)
            p->w[r][j] =
                ldexpf((float)((int)(next_random(&seed) % 255) - 127), (int)(r % 16) - 12);
    for (size_t i = 0; i < KERNEL_MAX_MR; i++) {
        for (size_t j = 0; j < MOST_FLOATS; j++) {
            float x = any_float(&seed);
            p->x[i][j] = ldexpf(x, (int)(next_random(&seed) % 40) - 20);
        }
        for (size_t r = 0; r < KERNEL_MAX_NR; r++)
            p->c[i][r] = any_float(&seed);
    }
    for (size_t i = 0; i < KERNEL_MAX_MR; i++)
        for (size_t r = 0; r < KERNEL_MAX_NR; r++) {
            float sum = p->add ? p->c[i][r] : 0.0f;
            for (size_t j = 0; j < p->columns; j++)
                sum = fmaf(p->x[i][j], p->w[r][j], sum);
            p->expected[i][r] = sum;
        }
}

static bool check_float_tile(const struct floats *p, const struct model_kernels *k, size_t m)
{
    static float w[MOST_FLOATS * KERNEL_MAX_NR], x[MOST_FLOATS * KERNEL_MAX_MR];
    float c[KERNEL_MAX_MR * KERNEL_MAX_NR];
    k->panel(p->w[0], MOST_FLOATS, p->columns, w);
    for (size_t i = 0; i < m; i++) {
        for (size_t j = 0; j < p->columns; j++)
            x[j * k->mr + i] = p->x[i][j];
        memcpy(c + i * k->nr, p->c[i], k->nr * sizeof(float));
    }
    struct kernel_tile tile = {
        .w = w, .x = x, .c = c, .columns = p->columns, .m = m, .add = p->add};
    k->tile(&tile);
    for (size_t i = 0; i < m; i++)
        if (memcmp(c + i * k->nr, p->expected[i], k->nr * sizeof(float)) != 0)
            return false;
    return true;
}

enum stored { STORED_F32, STORED_F16, STORED_BF16, N_STORED };

static size_t store_weight(enum stored stored, float v, unsigned char *out)
{
    uint16_t half = stored == STORED_F16 ? fp16_from_float(v) : bf16_from_float(v);
    if (stored == STORED_F32)
        memcpy(out, &v, sizeof v);
    else
        memcpy(out, &half, sizeof half);
    return stored == STORED_F32 ? sizeof v : sizeof half;
}

/* Input i with rows as they lie in memory. */
static bool check_float_rows(const struct floats *p, const struct model_kernels *k, size_t i,
                             enum stored stored)
{
    static unsigned char bytes[KERNEL_MAX_NR * MOST_FLOATS * sizeof(float) + ODD];
    const kernel_rows_fn rows[N_STORED] = {k->rows_f32, k->rows_f16, k->rows_bf16};
    float c[KERNEL_MAX_NR];
    unsigned char *end = bytes + ODD;
    for (size_t r = 0; r < k->nr; r++)
        for (size_t j = 0; j < p->columns; j++)
            end += store_weight(stored, p->w[r][j], end);
    memcpy(c, p->c[i], sizeof c);
    struct kernel_rows work = {.w = bytes + ODD,
                               .x = p->x[i],
                               .c = c,
                               .row_bytes = (size_t)(end - bytes - ODD) / k->nr,
                               .columns = p->columns,
                               .add = p->add};
    rows[stored](&work);
    return memcmp(c, p->expected[i], k->nr * sizeof(float)) == 0;
}

static int check_floats(const struct floats *p, int only)
{
    int bad = 0;
    for (int cpu = 0; quant_cpu_name((enum quant_cpu)cpu); cpu++) {
        enum quant_cpu level = (enum quant_cpu)cpu;
        if (!quant_cpu_runs(level) || (only >= 0 && only != cpu))
            continue;
        const struct model_kernels *k = model_kernels_at(level);
        bool good = true;
        for (size_t m = 1; m <= k->mr; m++)
            good &= check_float_tile(p, k, m);
        for (int stored = 0; stored < N_STORED; stored++)
            good &= check_float_rows(p, k, 0, (enum stored)stored);
        if (!good)
            fprintf(stderr, "%s: floats differ, %zu columns\n", quant_cpu_name(level),
                    p->columns);
        bad |= !good;
    }
    return bad;
}

/* ---- All ------------------------------------------------------------------------- */

static int run_floats(int only)
{
    static const size_t columns[] = {1, 3, 8, 15, 16, 31, 64, 255, MOST_FLOATS};
    static struct floats p;
    XXH64_state_t digest;
    int bad = 0;
    XXH64_reset(&digest, 0);
    for (size_t i = 0; i < sizeof columns / sizeof columns[0]; i++) {
        p.columns = columns[i];
        p.add = i % 2;
        fill_floats(&p, i);
        XXH64_update(&digest, p.expected, sizeof p.expected);
        bad |= check_floats(&p, only);
    }
    printf("products of floats %016llx\n", (unsigned long long)XXH64_digest(&digest));
    return bad;
}

static int run_levels(int only)
{
    static struct problem p;
    XXH64_state_t digest;
    int bad = 0;
    XXH64_reset(&digest, 0);
    for (size_t f = 0; f < sizeof forms / sizeof forms[0]; f++)
        for (p.columns = 32; p.columns <= COLUMNS; p.columns += 32) {
            p.form = &forms[f];
            p.add = p.columns % 64 == 0;
            fill(&p, f * 1000 + p.columns);
            for (size_t i = 0; i < KERNEL_MAX_MR; i++)
                for (size_t r = 0; r < KERNEL_MAX_NR; r++)
                    p.expected[i][r] = expect(&p, i, r);
            XXH64_update(&digest, p.expected, sizeof p.expected);
            bad |= check_levels(&p, only);
        }
    printf("products of levels %016llx\n", (unsigned long long)XXH64_digest(&digest));
    return bad;
}

int main(int argc, char **argv)
{
    enum quant_cpu cpu;
    int only = -1;
    if (argc == 3 && strcmp(argv[1], "--cpu") == 0 && quant_cpu_find(argv[2], &cpu) &&
        quant_cpu_runs(cpu)) {
        only = (int)cpu;
    } else if (argc != 1) {
        fprintf(stderr, "usage: checkproducts [--cpu LEVEL]\n");
        return 2;
    }
    print_sets(only);
    int bad = run_floats(only);
    return run_levels(only) | bad;
}
