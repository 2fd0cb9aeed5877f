/*
 * driver [--runs N] [--crash FILE] [--write-seeds FOLDER] [FILE...]
 *
 * Runs a fuzz target without libFuzzer: on its seeds and the files as they are, then N times
 * on one of them with some bytes changed. The same changes every time. Where the target aborts,
 * the input is written to FILE (--crash), which can be given as an argument to see it again.
 */
#define _DEFAULT_SOURCE
#include "tests/fuzz/fuzz.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#define MAX_INPUTS 2000

struct input {
    uint8_t *data;
    size_t size;
};

struct driver {
    struct input inputs[MAX_INPUTS];
    size_t n_inputs;
    long runs;
    uint64_t seed;
};

/* For the signal handler. */
static const char *crash_path;
static uint8_t current[2 * FUZZ_SEED_MAX];
static size_t current_size;

static void save_input(int number)
{
    int fd = open(crash_path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
    if (fd < 0 || write(fd, current, current_size) < 0)
        _exit(2);
    signal(number, SIG_DFL);
}

static uint32_t next_random(struct driver *d)
{
    d->seed = d->seed * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(d->seed >> 33);
}

static size_t below(struct driver *d, size_t limit)
{
    return limit ? next_random(d) % limit : 0;
}

/* ---- Changes ---------------------------------------------------------------------------- */

static void flip_bit(struct driver *d)
{
    current[below(d, current_size)] ^= (uint8_t)(1u << below(d, 8));
}

static void set_byte(struct driver *d)
{
    current[below(d, current_size)] = (uint8_t)next_random(d);
}

/* A number of 4 or 8 bytes at the limits of what sizes can be. */
static void set_number(struct driver *d)
{
    const uint64_t numbers[] = {0,          1,         UINT64_MAX,  INT64_MAX,
                                UINT32_MAX, INT32_MAX, 1ull << 63,  1u << 31,
                                1ull << 32, 65536,     current_size};
    uint64_t number = numbers[below(d, sizeof numbers / sizeof numbers[0])];
    size_t width = below(d, 2) ? 8 : 4;
    number += below(d, 3) - 1;
    if (current_size >= width)
        memcpy(current + below(d, current_size - width + 1), &number, width);
}

static void cut(struct driver *d)
{
    current_size = 1 + below(d, current_size);
}

static void remove_bytes(struct driver *d)
{
    size_t at = below(d, current_size), n = below(d, current_size - at) % 64;
    memmove(current + at, current + at + n, current_size - at - n);
    current_size -= n;
}

static void repeat_bytes(struct driver *d)
{
    size_t at = below(d, current_size), n = below(d, current_size - at) % 64;
    if (current_size + n > sizeof current)
        return;
    memmove(current + at + n, current + at, current_size - at);
    current_size += n;
}

static void change(struct driver *d)
{
    static void (*const changes[])(struct driver * d) = {
        flip_bit, set_byte, set_number, set_number, cut, remove_bytes, repeat_bytes};
    for (size_t i = below(d, 4) + 1; i > 0 && current_size > 0; i--)
        changes[below(d, sizeof changes / sizeof changes[0])](d);
}

/* ---- Inputs ----------------------------------------------------------------------------- */

static void add_input(struct driver *d, const uint8_t *data, size_t size)
{
    struct input *input = &d->inputs[d->n_inputs];
    if (d->n_inputs == MAX_INPUTS)
        return;
    input->data = malloc(size + 1);
    fuzz_assert(input->data != NULL);
    memcpy(input->data, data, size);
    input->size = size;
    d->n_inputs++;
}

/* Larger files are left out. */
static void add_file(struct driver *d, const char *path)
{
    static uint8_t data[FUZZ_SEED_MAX + 1];
    FILE *f = fopen(path, "rb");
    if (!f) {
        perror(path);
        exit(2);
    }
    size_t size = fread(data, 1, sizeof data, f);
    fclose(f);
    if (size <= FUZZ_SEED_MAX)
        add_input(d, data, size);
}

static void add_seeds(struct driver *d)
{
    static uint8_t data[FUZZ_SEED_MAX];
    size_t size;
    for (size_t i = 0; (size = fuzz_seed(i, data)) > 0; i++)
        add_input(d, data, size);
}

static void write_seeds(const struct driver *d, const char *folder)
{
    char path[4096];
    for (size_t i = 0; i < d->n_inputs; i++) {
        snprintf(path, sizeof path, "%s/seed-%zu", folder, i);
        FILE *f = fopen(path, "wb");
        if (!f || fwrite(d->inputs[i].data, 1, d->inputs[i].size, f) != d->inputs[i].size ||
            fclose(f) != 0) {
            perror(path);
            exit(2);
        }
    }
}

/* ---- Runs ------------------------------------------------------------------------------- */

/* In memory of just that size, for AddressSanitizer. */
static void run_current(void)
{
    uint8_t *exact = malloc(current_size ? current_size : 1);
    fuzz_assert(exact != NULL);
    memcpy(exact, current, current_size);
    (void)LLVMFuzzerTestOneInput(exact, current_size);
    free(exact);
}

static void load(const struct input *input)
{
    memcpy(current, input->data, input->size);
    current_size = input->size;
}

static void run_all(struct driver *d)
{
    fuzz_assert(d->n_inputs > 0);
    for (size_t i = 0; i < d->n_inputs; i++) {
        load(&d->inputs[i]);
        run_current();
    }
    for (long i = 0; i < d->runs; i++) {
        load(&d->inputs[below(d, d->n_inputs)]);
        change(d);
        run_current();
    }
}

int main(int argc, char **argv)
{
    static struct driver d = {.seed = 1};
    const char *folder = NULL;
    add_seeds(&d);
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--runs") == 0 && argv[i + 1])
            d.runs = strtol(argv[++i], NULL, 10);
        else if (strcmp(argv[i], "--crash") == 0 && argv[i + 1])
            crash_path = argv[++i];
        else if (strcmp(argv[i], "--write-seeds") == 0 && argv[i + 1])
            folder = argv[++i];
        else
            add_file(&d, argv[i]);
    }
    if (crash_path)
        signal(SIGABRT, save_input);
    if (folder)
        write_seeds(&d, folder);
    run_all(&d);
    printf("%zu inputs, %ld runs\n", d.n_inputs, d.runs);
    return 0;
}
