/*
 * checkquant [--bench] [--cpu LEVEL] [--quick] [TYPE...]
 *
 * Runs the decoder and the encoders of every type, and the kernels of quant/measure.h, at
 * every level of the processor that this machine runs, on random, ordinary and extreme input
 * that begins or ends where memory does, and compares the bytes with those of the scalar level.
 * Prints a digest for each decoder, and for each encoder by preset and importance: they are the
 * same whatever compiler and machine it was built with. --cpu runs one level alone, --quick
 * fewer rows, --bench prints speeds instead. Exit: 0 all the same, 1 something differs, 2
 * trouble.
 */
#define _DEFAULT_SOURCE /* MAP_ANONYMOUS */
#include "quant/measure.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/mman.h>
#include <time.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

#define GOLDEN_INPUT   "../shared/golden/input.f32"
#define GOLDEN_ROWS    48
#define GOLDEN_COLUMNS 512

#define MAX_N (40 * 128) /* elements of a row, at most */

/* ---- Memory with a guard at both ends --------------------------------------------------- */

#define GUARDED_SIZE (1 << 16) /* a multiple of the pages of every machine */
_Static_assert(MAX_N * sizeof(double) <= GUARDED_SIZE, "the longest row fits");

/* Between two ranges that may not be touched. */
static unsigned char *guarded_new(void)
{
    const size_t guard = GUARDED_SIZE;
    unsigned char *all = mmap(NULL, GUARDED_SIZE + 2 * guard, PROT_READ | PROT_WRITE,
                              MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (all == MAP_FAILED || mprotect(all, guard, PROT_NONE) != 0 ||
        mprotect(all + guard + GUARDED_SIZE, guard, PROT_NONE) != 0) {
        perror("checkquant: mmap");
        exit(2);
    }
    return all + guard;
}

/* `size` bytes at the upper or the lower end. */
static void *place(unsigned char *guarded, size_t size, bool upper)
{
    return guarded + (upper ? GUARDED_SIZE - size : 0);
}

static void *place_copy(unsigned char *guarded, const void *from, size_t size, bool upper)
{
    return memcpy(place(guarded, size, upper), from, size);
}

/* ---- Rows: the same numbers on every machine, so nothing from libm ----------------------- */

static uint32_t next_random(uint64_t *seed)
{
    *seed = *seed * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(*seed >> 32);
}

/* Near to a normal distribution of variance 1: the sum of three uniform ones of -1 to 1. */
static float next_normal(uint64_t *seed)
{
    int32_t sum = 0;
    for (int i = 0; i < 3; i++)
        sum += (int32_t)(next_random(seed) >> 8) - (1 << 23);
    return (float)sum * 0x1p-23f;
}

static float any_finite(uint64_t *seed)
{
    uint32_t bits = next_random(seed);
    float f;
    if ((bits & 0x7f800000u) == 0x7f800000u)
        bits ^= 0x40000000u;
    memcpy(&f, &bits, sizeof f);
    return f;
}

#define ROW_KINDS 19
/* Element i of a row; g is normal, any is any finite float. */
static float element(size_t kind, size_t i, float g, float any)
{
    const float of_kind[ROW_KINDS] = {
        0.02f * g,
        0.01f * g * g * g,                      /* heavy tails */
        (i % 97 == 5 ? 3 : 0.02f) * g,          /* outliers */
        0.01f + g * g,                          /* all positive */
        0.37f,                                  /* constant */
        -0.37f,                                 /* constant */
        0,                                      /* zeros */
        1e-41f * g,                             /* denormal floats */
        1e-7f * g,                              /* scales are denormal halves */
        300 * g,                                /* large */
        1e5f * g,                               /* too large for a half scale */
        8e37f * g,                              /* squares overflow */
        1e-30f * g,                             /* squares vanish */
        i % 2 ? 3.4028235e38f : -3.4028235e38f, /* the largest */
        i == 3 ? -2.0f : 0,                     /* one element */
        i % 32 == 7 ? 1 : 0.001f * g,           /* one large element in 32 */
        (float)i / 512,                         /* ramp */
        g > 0.5f    ? 0.043f
        : g < -0.5f ? -0.043f
                    : 0, /* ternary */
        any,
    };
    return of_kind[kind];
}

static void fill_row(float *x, size_t n, size_t kind, uint64_t seed)
{
    for (size_t i = 0; i < n; i++) {
        float g = next_normal(&seed), any = any_finite(&seed);
        x[i] = element(kind, i, g, any);
    }
}

#define IMPORTANCE_KINDS 7
static void fill_importance(float *w, size_t n, size_t kind, uint64_t seed)
{
    for (size_t i = 0; i < n; i++) {
        float g = next_normal(&seed), square = g * g;
        const float of_kind[IMPORTANCE_KINDS] = {
            square,         square * square * square, i % 3 ? square : 0, 0,
            1e30f * square, i / 32 % 2 ? square : 0,  1e-38f * square,
        };
        w[i] = of_kind[kind];
    }
}

/* 48 rows of 512, or NULL. */
static float *load_golden(void)
{
    const size_t n = GOLDEN_ROWS * GOLDEN_COLUMNS;
    FILE *f = fopen(GOLDEN_INPUT, "rb");
    float *x = f ? malloc(n * sizeof *x) : NULL;
    if (x && fread(x, sizeof *x, n, f) != n) {
        free(x);
        x = NULL;
    }
    if (f)
        fclose(f);
    return x;
}

/* ---- Kernels ----------------------------------------------------------------------------- */

enum task { DECODE, ENCODE, ENCODE_WEIGHED };

/* A kernel of a type, at all levels. */
struct subject {
    const struct gguf_type_info *type;
    enum task task;
    enum quant_preset preset;
    bool differs;
};

/* What a kernel takes and makes. */
struct row {
    size_t n;
    size_t bytes; /* of its blocks */
    float x[MAX_N], importance[MAX_N];
    unsigned char blocks[GUARDED_SIZE];
};

struct check {
    bool quick, bench;
    int only; /* the one level to run, or -1 */
    float *golden;
    unsigned char *floats, *importance, *blocks; /* guarded */
    struct row row;
    unsigned char expected[GUARDED_SIZE]; /* what the first level made */
    int failures;
};

static bool is_run(const struct check *check, int cpu)
{
    return quant_cpu_runs((enum quant_cpu)cpu) && (check->only < 0 || check->only == cpu);
}

static size_t output_size(const struct subject *s, const struct row *row)
{
    return s->task == DECODE ? row->n * sizeof(float) : row->bytes;
}

/* The payload of a NaN that arithmetic makes depends on the processor. */
static void unify_nans(float *y, size_t n)
{
    const uint32_t nan = 0x7fc00000u;
    for (size_t i = 0; i < n; i++) {
        if (y[i] != y[i])
            memcpy(&y[i], &nan, sizeof nan);
    }
}

static void *run_decoder(struct check *check, const struct subject *s,
                         const struct quant_format *format, bool upper)
{
    const struct row *row = &check->row;
    void *blocks = place_copy(check->blocks, row->blocks, row->bytes, upper);
    float *y = place(check->floats, output_size(s, row), upper);
    format->decode(blocks, y, row->n);
    if (s->type->block_elements > 1)
        unify_nans(y, row->n);
    return y;
}

static void *run_encoder(struct check *check, const struct subject *s,
                         const struct quant_format *format, bool upper)
{
    const struct row *row = &check->row;
    const size_t size = row->n * sizeof(float);
    float *x = place_copy(check->floats, row->x, size, upper);
    float *w = place_copy(check->importance, row->importance, size, upper);
    void *blocks = place(check->blocks, row->bytes, upper);
    memset(blocks, 0xa5, row->bytes);
    quant_encoder(format, s->preset)(x, blocks, row->n, s->task == ENCODE_WEIGHED ? w : NULL);
    return blocks;
}

/* ---- Comparing --------------------------------------------------------------------------- */

static void complain(struct subject *s, int cpu, const struct row *row, size_t at)
{
    if (s->differs)
        return;
    s->differs = true;
    fprintf(stderr, "%s %s: %s differs at byte %zu of the output (a row of %zu elements)\n",
            s->type->name, s->task == DECODE ? "decoder" : quant_preset_name(s->preset),
            quant_cpu_name((enum quant_cpu)cpu), at, row->n);
}

static void compare(struct check *check, struct subject *s, int cpu, const unsigned char *found)
{
    for (size_t i = 0; i < output_size(s, &check->row); i++) {
        if (found[i] != check->expected[i]) {
            complain(s, cpu, &check->row, i);
            return;
        }
    }
}

/* One row at all levels; each is run with memory that ends and with memory that begins at
 * the row, in turn. */
static void check_row(struct check *check, struct subject *s, size_t number,
                      XXH64_state_t *digest)
{
    bool first = true;
    for (int cpu = 0; quant_cpu_name((enum quant_cpu)cpu); cpu++) {
        if (!is_run(check, cpu))
            continue;
        const struct quant_format *format = quant_format_at(s->type->id, (enum quant_cpu)cpu);
        bool upper = (number + (size_t)cpu) % 2;
        void *found = s->task == DECODE ? run_decoder(check, s, format, upper)
                                        : run_encoder(check, s, format, upper);
        if (first) {
            memcpy(check->expected, found, output_size(s, &check->row));
            XXH64_update(digest, found, output_size(s, &check->row));
        }
        first = false;
        compare(check, s, cpu, found);
    }
}

/* ---- The rows of a kernel ---------------------------------------------------------------- */

/* 1 to 40 blocks; 1 to 12 super-blocks; up to 1640 numbers that form no blocks. */
static size_t row_elements(const struct gguf_type_info *type, size_t number)
{
    if (type->block_elements >= 256)
        return (number % 12 + 1) * type->block_elements;
    return (number + 1) * (type->block_elements == 1 ? 41 : type->block_elements);
}

static void make_row(struct row *row, const struct subject *s, size_t number)
{
    uint64_t bytes = 0, seed = number;
    row->n = row_elements(s->type, number);
    gguf_type_bytes(s->type->id, row->n, &bytes);
    row->bytes = (size_t)bytes;
    for (size_t i = 0; i < row->bytes; i++)
        row->blocks[i] = (unsigned char)next_random(&seed);
    fill_row(row->x, row->n, number % ROW_KINDS, seed);
    fill_importance(row->importance, row->n, number % IMPORTANCE_KINDS, seed);
}

static void use_golden_row(struct check *check, const struct subject *s, size_t number)
{
    struct row *row = &check->row;
    uint64_t bytes = 0;
    row->n = GOLDEN_COLUMNS;
    gguf_type_bytes(s->type->id, row->n, &bytes);
    row->bytes = (size_t)bytes;
    memcpy(row->x, check->golden + number * row->n, row->n * sizeof *row->x);
    fill_importance(row->importance, row->n, 0, number);
}

static void check_rows(struct check *check, struct subject *s, XXH64_state_t *digest)
{
    const size_t generated = check->quick ? 20 : 40, golden = check->quick ? 12 : GOLDEN_ROWS;
    for (size_t i = 0; i < generated; i++) {
        make_row(&check->row, s, i);
        check_row(check, s, i, digest);
    }
    for (size_t i = 0; i < golden && s->task != DECODE && check->golden; i++) {
        use_golden_row(check, s, i);
        check_row(check, s, i, digest);
    }
}

static void check_subject(struct check *check, struct subject *s)
{
    XXH64_state_t digest;
    XXH64_reset(&digest, 0);
    check_rows(check, s, &digest);
    printf("%-8s %-8s %-8s %016llx\n", s->type->name,
           s->task == DECODE ? "decode" : quant_preset_name(s->preset),
           s->task == ENCODE_WEIGHED ? "weighed" : "-",
           (unsigned long long)XXH64_digest(&digest));
    check->failures += s->differs;
}

/* ---- The sums of squares and the check for numbers --------------------------------------- */

struct measured {
    struct quant_sums sums;
    uint64_t not_finite; /* index of the first */
};

/* Of x and y in guarded memory; then x gets a NaN. */
static struct measured measure_at(const struct check *check, int cpu, size_t number, size_t n)
{
    const struct quant_measure *measure = quant_measure_at((enum quant_cpu)cpu);
    const bool upper = (number + (size_t)cpu) % 2;
    struct measured found = {{0, 0}, 0};
    float *x = place_copy(check->floats, check->row.x, n * sizeof *x, upper);
    float *y = place_copy(check->importance, check->row.importance, n * sizeof *y, upper);
    measure->add(&found.sums, x, y, n);
    const uint32_t nan = 0x7fc00000u;
    memcpy(&x[number * 97 % n], &nan, sizeof nan);
    found.not_finite = measure->find_not_finite(x, n);
    return found;
}

static void check_measure(struct check *check)
{
    XXH64_state_t digest;
    bool differs = false;
    XXH64_reset(&digest, 0);
    for (size_t i = 0; i < 40; i++) {
        const size_t n = 41 * (i + 1);
        struct measured expected = {{0, 0}, SIZE_MAX};
        fill_row(check->row.x, n, i % ROW_KINDS, i);
        fill_row(check->row.importance, n, i % ROW_KINDS, i + 1000);
        for (int cpu = 0; quant_cpu_name((enum quant_cpu)cpu); cpu++) {
            if (!is_run(check, cpu))
                continue;
            struct measured found = measure_at(check, cpu, i, n);
            expected = expected.not_finite == SIZE_MAX ? found : expected;
            differs |= memcmp(&expected, &found, sizeof found) != 0;
        }
        XXH64_update(&digest, &expected, sizeof expected);
    }
    if (differs)
        fprintf(stderr, "measure: the levels differ\n");
    check->failures += differs;
    printf("%-8s %-8s %-8s %016llx\n", "measure", "-", "-",
           (unsigned long long)XXH64_digest(&digest));
}

/* ---- Speed ------------------------------------------------------------------------------- */

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Elements a second, in thousand millions: the best of the runs in a tenth of a second. The
 * row is in the first cache. */
static double speed_of(struct check *check, const struct subject *s,
                       const struct quant_format *format)
{
    const struct row *row = &check->row;
    const double end = now() + 0.1;
    double best = 1e9;
    for (double start = now(); start < end; start = now()) {
        if (s->task == DECODE)
            format->decode(row->blocks, (float *)(void *)check->floats, row->n);
        else
            quant_encoder(format, s->preset)(row->x, check->blocks, row->n,
                                             s->task == ENCODE ? NULL : row->importance);
        double time = now() - start;
        best = time < best ? time : best;
    }
    return (double)row->n / best * 1e-9;
}

static void bench_subject(struct check *check, struct subject *s)
{
    make_row(&check->row, s, 0);
    check->row.n = 4096;
    for (size_t i = check->row.bytes; i < sizeof check->row.blocks; i++)
        check->row.blocks[i] = check->row.blocks[i % check->row.bytes];
    fill_row(check->row.x, check->row.n, 0, 1);
    fill_importance(check->row.importance, check->row.n, 0, 1);
    printf("%-8s %-8s %-8s", s->type->name,
           s->task == DECODE ? "decode" : quant_preset_name(s->preset),
           s->task == ENCODE_WEIGHED ? "weighed" : "-");
    for (int cpu = 0; quant_cpu_name((enum quant_cpu)cpu); cpu++) {
        const struct quant_format *format = quant_format_at(s->type->id, (enum quant_cpu)cpu);
        if (is_run(check, cpu))
            printf(" %s %8.4f", quant_cpu_name((enum quant_cpu)cpu),
                   speed_of(check, s, format));
    }
    printf("\n");
    fflush(stdout);
}

/* ---- The kernels of every type ------------------------------------------------------ */

/* Whether an earlier preset has the same encoder. */
static bool is_repeated(const struct quant_format *format, enum quant_preset preset)
{
    for (int i = 0; i < (int)preset; i++) {
        if (quant_encoder(format, (enum quant_preset)i) == quant_encoder(format, preset))
            return true;
    }
    return false;
}

typedef void (*visit_fn)(struct check *check, struct subject *s);

static void visit_type(struct check *check, const struct gguf_type_info *type, visit_fn visit)
{
    const struct quant_format *format = quant_format_find(type->id);
    visit(check, &(struct subject){.type = type, .task = DECODE});
    for (int preset = 0; preset < 3 && format->encode; preset++) {
        struct subject s = {.type = type, .preset = (enum quant_preset)preset};
        if (is_repeated(format, s.preset))
            continue;
        s.task = ENCODE;
        if (!format->needs_importance)
            visit(check, &s);
        s.task = ENCODE_WEIGHED;
        visit(check, &s);
    }
}

static bool is_named(const struct gguf_type_info *type, char **names)
{
    if (!*names)
        return true;
    while (*names && strcasecmp(*names, type->name) != 0)
        names++;
    return *names != NULL;
}

static void visit_types(struct check *check, char **names)
{
    const struct gguf_type_info *type;
    for (size_t i = 0; (type = gguf_type_at(i)) != NULL; i++) {
        if (quant_format_find(type->id) && is_named(type, names))
            visit_type(check, type, check->bench ? bench_subject : check_subject);
    }
}

/* ---- main --------------------------------------------------------------------------- */

static char **parse(struct check *check, char **argv)
{
    enum quant_cpu cpu;
    for (; *argv && strncmp(*argv, "--", 2) == 0; argv++) {
        if (strcmp(*argv, "--quick") == 0) {
            check->quick = true;
        } else if (strcmp(*argv, "--bench") == 0) {
            check->bench = true;
        } else if (strcmp(*argv, "--cpu") == 0 && argv[1] && quant_cpu_find(argv[1], &cpu) &&
                   quant_cpu_runs(cpu)) {
            check->only = (int)cpu;
            argv++;
        } else {
            fprintf(stderr, "checkquant: %s: no such option, or no such level here\n", *argv);
            exit(2);
        }
    }
    return argv;
}

int main(int argc, char **argv)
{
    static struct check check = {.only = -1};
    (void)argc;
    char **names = parse(&check, argv + 1);
    check.golden = load_golden();
    check.floats = guarded_new();
    check.importance = guarded_new();
    check.blocks = guarded_new();
    if (check.bench)
        printf("1e9 elements a second, on one core, from the first cache\n");
    visit_types(&check, names);
    if (!*names && !check.bench)
        check_measure(&check);
    free(check.golden);
    return check.failures > 0;
}
