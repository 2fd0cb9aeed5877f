/* The fixed inputs. */
#include "tests/bench/sets.h"

#include "libgguf/gguf.h"
#include "quant/quant.h"
#include "tools/common/cli.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define GOLDEN         "../shared/golden/"
#define GOLDEN_COLUMNS 512
#define GROUP_ROWS     4 /* of a class in the golden and generated sets */
#define MODEL          "fixtures/shakespeare-f16.gguf"
#define MODEL_ROWS     32 /* of each tensor */

/* ---- Classes of rows -------------------------------------------------------------------- */

static double uniform(uint64_t *state) /* splitmix64, 0 <= u < 1 */
{
    uint64_t z = (*state += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return (double)((z ^ (z >> 31)) >> 11) * 0x1p-53;
}

/* The sum of twelve uniforms has variance 1. */
static double gauss(uint64_t *state)
{
    double sum = -6;
    for (int i = 0; i < 12; i++)
        sum += uniform(state);
    return sum;
}

/* A difference of products of independent Gaussians is Laplace, scale 1. */
static double laplace(uint64_t *state)
{
    double a = gauss(state) * gauss(state);
    return a - gauss(state) * gauss(state);
}

static double student4(uint64_t *state)
{
    double chi = 0;
    for (int i = 0; i < 4; i++) {
        double g = gauss(state);
        chi += g * g;
    }
    return gauss(state) / sqrt(chi / 4 + 1e-6);
}

/* Makes weight i of a row of `n`; `scale` is the row's own, 1/4 to 4. */
typedef double (*sample_fn)(uint64_t *state, double scale, size_t i, size_t n);

#define SAMPLE(name, expression)                                                               \
    static double name(uint64_t *state, double scale, size_t i, size_t n)                      \
    {                                                                                          \
        (void)state, (void)scale, (void)i, (void)n;                                            \
        return expression;                                                                     \
    }
SAMPLE(sample_gauss, 0.02 * gauss(state))
SAMPLE(sample_laplace, 0.02 * laplace(state))
SAMPLE(sample_student, 0.02 * student4(state))
SAMPLE(sample_scaled, 0.02 * scale * gauss(state))
SAMPLE(sample_positive, 0.02 * fabs(gauss(state)))
SAMPLE(sample_constant, 0.02 * scale)
SAMPLE(sample_zero, 0)
SAMPLE(sample_tiny, 1e-7 * gauss(state))
SAMPLE(sample_large, 300 * gauss(state))
SAMPLE(sample_ramp, 0.1 * (double)i / (double)n - 0.05)
SAMPLE(sample_spike, i % 32 == 7 ? 1.0 : 0.02 * gauss(state))

static double sample_outlier(uint64_t *state, double scale, size_t i, size_t n)
{
    double factor = uniform(state) < 0.002 ? 20 : 1;
    return factor * sample_scaled(state, scale, i, n);
}

static const struct row_class {
    const char *name;
    bool counted, ordinary; /* as in struct bench_group */
    sample_fn sample;
} classes[] = {
    {"gauss", true, true, sample_gauss},         {"laplace", true, true, sample_laplace},
    {"student", true, true, sample_student},     {"outlier", true, true, sample_outlier},
    {"scaled", true, true, sample_scaled},       {"positive", true, true, sample_positive},
    {"constant", false, false, sample_constant}, {"zero", false, false, sample_zero},
    {"tiny", true, false, sample_tiny},          {"large", false, false, sample_large},
    {"ramp", true, false, sample_ramp},          {"spike", true, false, sample_spike},
};
#define N_CLASSES (sizeof classes / sizeof classes[0])

void bench_gaussian(float *x, size_t n, uint64_t seed)
{
    for (size_t i = 0; i < n; i++)
        x[i] = (float)(0.02 * gauss(&seed));
}

void bench_importance(float *w, size_t n, uint64_t seed)
{
    for (size_t i = 0; i < n; i++) {
        double g = gauss(&seed) * gauss(&seed);
        w[i] = (float)(g * g + 0.01);
    }
}

static struct bench_group *group_make(struct bench_set *set, const char *name, size_t rows,
                                      size_t columns)
{
    set->groups = cli_grow(set->groups, set->n + 1, sizeof *set->groups);
    struct bench_group *group = &set->groups[set->n++];
    *group = (struct bench_group){
        .counted = true, .ordinary = true, .rows = rows, .columns = columns};
    snprintf(group->name, sizeof group->name, "%s", name);
    group->x = cli_alloc(rows * columns, sizeof *group->x);
    group->importance = cli_alloc(columns, sizeof *group->importance);
    return group;
}

static void load_generated(struct bench_set *set)
{
    for (size_t c = 0; c < N_CLASSES; c++) {
        struct bench_group *g = group_make(set, classes[c].name, GROUP_ROWS, GOLDEN_COLUMNS);
        uint64_t state = 1000 + c;
        g->counted = classes[c].counted;
        g->ordinary = classes[c].ordinary;
        bench_importance(g->importance, g->columns, 2000);
        for (size_t r = 0; r < g->rows; r++) {
            double scale = 0.25 * (1 + 15 * uniform(&state));
            for (size_t i = 0; i < g->columns; i++)
                g->x[r * g->columns + i] =
                    (float)classes[c].sample(&state, scale, i, g->columns);
        }
    }
}

/* ---- Golden ------------------------------------------------------------------------- */

/* The whole file, which has exactly `size` bytes; NULL otherwise. To be freed. */
static void *read_exactly(const char *path, size_t size)
{
    FILE *file = fopen(path, "rb");
    if (!file)
        return NULL;
    char *data = cli_alloc(size + 1, 1);
    size_t got = fread(data, 1, size + 1, file);
    fclose(file);
    if (got == size)
        return data;
    free(data);
    return NULL;
}

/* Row r of the file is row r / 12 of class r % 12. */
static void load_golden(struct bench_set *set)
{
    const size_t row = GOLDEN_COLUMNS * sizeof(float);
    char *input = read_exactly(GOLDEN "input.f32", N_CLASSES * GROUP_ROWS * row);
    float *importance = read_exactly(GOLDEN "imatrix.f32", row);
    for (size_t c = 0; input && importance && c < N_CLASSES; c++) {
        struct bench_group *g = group_make(set, classes[c].name, GROUP_ROWS, GOLDEN_COLUMNS);
        g->counted = classes[c].counted;
        g->ordinary = classes[c].ordinary;
        memcpy(g->importance, importance, row);
        for (size_t r = 0; r < g->rows; r++)
            memcpy(g->x + r * g->columns, input + (r * N_CLASSES + c) * row, row);
    }
    free(input);
    free(importance);
}

/* "q4_K", "iq4_nl": lower case, but for the K of a K-quant. */
static void golden_path(char *path, size_t size, uint32_t type, bool imatrix)
{
    char name[32];
    snprintf(name, sizeof name, "%s", gguf_type_find(type)->name);
    for (char *p = name; *p; p++)
        *p = p[0] == 'K' && p[1] == '\0' ? 'K' : (char)tolower((unsigned char)*p);
    snprintf(path, size, GOLDEN "%s.%s.q", name, imatrix ? "im" : "ref");
}

float *bench_set_reference(const struct bench_set *set, size_t group, uint32_t type,
                           bool imatrix)
{
    const struct quant_format *format = quant_format_find(type);
    uint64_t row_bytes;
    if (!set->has_reference || !format || !gguf_type_bytes(type, GOLDEN_COLUMNS, &row_bytes))
        return NULL;
    char path[96];
    golden_path(path, sizeof path, type, imatrix);
    char *blocks = read_exactly(path, N_CLASSES * GROUP_ROWS * (size_t)row_bytes);
    if (!blocks)
        return NULL;
    float *y = cli_alloc(GROUP_ROWS * GOLDEN_COLUMNS, sizeof *y);
    for (size_t r = 0; r < GROUP_ROWS; r++)
        format->decode(blocks + (r * N_CLASSES + group) * row_bytes, y + r * GOLDEN_COLUMNS,
                       GOLDEN_COLUMNS);
    free(blocks);
    return y;
}

/* ---- Model -------------------------------------------------------------------------- */

static void load_rows(struct bench_set *set, const struct gguf *model, const char *name)
{
    const struct gguf_tensor *tensor = gguf_tensor_find(model, name);
    const struct quant_format *format = tensor ? quant_format_find(tensor->type) : NULL;
    uint64_t bytes;
    if (!format || tensor->elements < MODEL_ROWS * tensor->ne[0] ||
        !gguf_type_bytes(tensor->type, MODEL_ROWS * tensor->ne[0], &bytes))
        return;
    struct bench_group *g = group_make(set, name, MODEL_ROWS, (size_t)tensor->ne[0]);
    void *data = cli_alloc((size_t)bytes, 1);
    struct gguf_error err;
    if (gguf_tensor_read(model, tensor, 0, data, (size_t)bytes, &err) != GGUF_OK)
        cli_die("%s", err.message);
    format->decode(data, g->x, g->rows * g->columns);
    bench_importance(g->importance, g->columns, 3000 + set->n);
    free(data);
}

static void load_model(struct bench_set *set)
{
    static const char *const names[] = {
        "token_embd.weight",   "blk.1.attn_q.weight",      "blk.1.attn_k.weight",
        "blk.1.attn_v.weight", "blk.1.attn_output.weight", "blk.1.ffn_gate.weight",
        "blk.1.ffn_up.weight", "blk.1.ffn_down.weight",    "output.weight"};
    struct gguf *model;
    if (gguf_open(&model, MODEL, 0, NULL) != GGUF_OK)
        return;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        load_rows(set, model, names[i]);
    gguf_close(model);
}

/* ---- All of them -------------------------------------------------------------------- */

bool bench_set_load(struct bench_set *set, size_t index)
{
    static const struct {
        const char *name;
        bool has_reference;
        void (*load)(struct bench_set *);
    } sets[] = {{"golden", true, load_golden},
                {"generated", false, load_generated},
                {"model", false, load_model}};
    if (index >= sizeof sets / sizeof sets[0])
        return false;
    *set = (struct bench_set){.name = sets[index].name,
                              .has_reference = sets[index].has_reference};
    sets[index].load(set);
    return true;
}

void bench_set_free(struct bench_set *set)
{
    for (size_t i = 0; i < set->n; i++) {
        free(set->groups[i].x);
        free(set->groups[i].importance);
    }
    free(set->groups);
}
