/*
 * Speeds against published ones, and the table of docs/accuracy.md. The rows that efficiency
 * and microseconds of data/hardware.csv were fitted on are counted apart.
 */
#include "tests/unit/accuracy.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include "model/model.h"
#include "tools/common/hardware.h"

enum { NAME, BILLIONS, GIGABYTES, LAYERS, KV_BYTES };

/* Names in the data for devices of the table. */
static const struct {
    const char *name, *device;
} devices[] = {
    {"RTX 5060 Ti partial", NULL}, /* apart: partial_offload */
    {"M1 7", "Apple M1 8c"},
    {"M1 Max 32", "Apple M1 Max 32c"},
    {"M2 Ultra 76", "Apple M2 Ultra 76c"},
    {"M3 Max 40", "Apple M3 Max 40c"},
    {"Apple M4 Pro", "Apple M4 Pro 20c"},
    {"P100 PCIe", "P100 16GB"},
    {"H200 PCIe", "H200 SXM 141GB"},
    {"H200 SXM", "H200 SXM 141GB"},
    {"B300 SXM", "B300 SXM 288GB"},
    {"A100 PCIe 40GB", "A100 PCIe 40GB"},
    {"RX 9070 XT Vulkan", "RX 9070 XT 16GB"},
    {"2x EPYC 9334", "EPYC Genoa 12ch DDR5-4800"},
    {"EPYC 9554", "EPYC Genoa 12ch DDR5-4800"},
    {"13900K", "CPU DDR5-6400 2ch"},
};

static const struct {
    const char *name;
    double bits;
} bits_of[] = {{"Q4_K_M", 4.85}, {"F16", 16},    {"FP16", 16},   {"Q8_0", 8.5},
               {"Q5_0", 5.5},    {"Q6_K", 6.56}, {"Q4_0", 4.55}, {"Q3_K_M", 3.9},
               {"Q4", 4.85},     {"", 4.85},     {"MXFP4", 4.25}};

/* ---- A run from a row ----------------------------------------------------------------- */

struct speed_row {
    const struct csv_row *row, *model;
    struct hardware hardware;
    uint32_t gpus;
    bool prompt;
};

/* "tg1024[3090 24GB * 2]" is two of "3090 24GB". */
static bool find_device(struct speed_row *s, const struct hardware_table *table)
{
    char name[96];
    const char *from = strchr(s->row->field[METRIC], '[');
    size_t size = from ? strcspn(from + 1, "]") : 0;
    if (!from || size >= sizeof name)
        return false;
    snprintf(name, sizeof name, "%.*s", (int)size, from + 1);
    char *star = strstr(name, " * ");
    s->gpus = star ? (uint32_t)strtoul(star + 3, NULL, 10) : 1;
    if (star)
        *star = '\0';
    for (size_t i = 0; i < sizeof devices / sizeof devices[0]; i++) {
        if (strstr(name, devices[i].name))
            return devices[i].device &&
                   hardware_match(table, devices[i].device, ~0u, &s->hardware);
    }
    return hardware_match(table, name, KINDS_GPU, &s->hardware);
}

static bool find_model(struct speed_row *s, const struct csv *models)
{
    for (size_t i = 1; i < models->n; i++) {
        const struct csv_row *m = &models->rows[i];
        if (strstr(s->row->field[MODEL], m->field[NAME])) {
            s->model = m;
            return *m->field[BILLIONS] != '\0';
        }
    }
    return false;
}

static bool is_speed(const struct csv_row *row)
{
    return strncmp(row->field[METRIC], "tg", 2) == 0 ||
           strncmp(row->field[METRIC], "pp", 2) == 0;
}

static bool read_row(struct speed_row *s, const struct csv_row *row, const struct csv *models,
                     const struct hardware_table *table)
{
    *s = (struct speed_row){.row = row, .prompt = row->field[METRIC][0] == 'p'};
    return is_speed(row) && find_model(s, models) && find_device(s, table);
}

static double bits_per_weight(const struct csv_row *row)
{
    for (size_t i = 0; i < sizeof bits_of / sizeof bits_of[0]; i++) {
        if (strcmp(row->field[QUANT], bits_of[i].name) == 0)
            return bits_of[i].bits;
    }
    fail_msg("no bits for %s", row->field[QUANT]);
    return 0;
}

static double weight_bytes(const struct speed_row *s)
{
    double bits = bits_per_weight(s->row);
    double gigabytes = strtod(s->model->field[GIGABYTES], NULL);
    if (gigabytes > 0 && bits < 8)
        return gigabytes * 1e9;
    return strtod(s->model->field[BILLIONS], NULL) * 1e9 * bits / 8;
}

static bool is_routed(const struct speed_row *s)
{
    static const char *const names[] = {"-A3B",    "-A1B",     "-A4B",
                                        "gpt-oss", "-V2-Lite", "h-small"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strstr(s->model->field[NAME], names[i]))
            return true;
    }
    return false;
}

/* The work is divided evenly; published runs of May 2024 had no flash attention. */
static struct speed_range estimate(const struct speed_row *s)
{
    struct speed_part parts[8];
    bool old = strstr(s->row->field[SOURCE], "Xiongjie") != NULL;
    double depth = old ? 512 : 128, n = s->gpus;
    double layers = strtod(s->model->field[LAYERS], NULL);
    for (uint32_t i = 0; i < s->gpus && i < 8; i++)
        parts[i] = (struct speed_part){
            .device = &s->hardware.speed,
            .weight_bytes = (uint64_t)(weight_bytes(s) / n),
            .kv_bytes = (uint64_t)(depth * strtod(s->model->field[KV_BYTES], NULL) / n),
            .parameters = strtod(s->model->field[BILLIONS], NULL) * 1e9 / n,
            .layers = (uint32_t)(layers / n + (i == 0 ? fmod(layers, n) : 0)),
            .routed = is_routed(s),
            .half = bits_per_weight(s->row) >= 16};
    struct speed_run run = {.parts = parts,
                            .n_parts = s->gpus < 8 ? s->gpus : 8,
                            .flash_attention = !old,
                            .batch = 512,
                            .prompt = strstr(s->row->field[METRIC], "1024") ? 1024 : 512,
                            .link_bandwidth = 12e9};
    return s->prompt ? model_speed_prompt(&run) : model_speed_generate(&run);
}

/* What data/hardware.csv was fitted on. */
static bool is_fitted(const struct speed_row *s)
{
    static const char *const of_2026[] = {"Ministral-3-3B", "Qwen3.5-9B", "Qwen3.6-27B"};
    static const char *const of_llmfit[] = {"Llama-3.2-3B", "Mistral-7B",   "Qwen3-8B",
                                            "Qwen3-14B",    "Qwen3-32B",    "Codestral-22B",
                                            "LFM2-8B-A1B",  "Qwen3-30B-A3B"};
    const char *name = s->model->field[NAME];
    if (csv_has(s->row, SOURCE, "Xiongjie"))
        return strcmp(name, "Llama-3-8B") == 0 && s->gpus == 1 &&
               (!s->prompt || csv_has(s->row, QUANT, "Q4_K_M"));
    for (size_t i = 0; csv_has(s->row, SOURCE, "pavlokhmel") && i < 3; i++) {
        if (strcmp(name, of_2026[i]) == 0)
            return true;
    }
    for (size_t i = 0; csv_has(s->row, SOURCE, "llmfit") && i < 8; i++) {
        if (strcmp(name, of_llmfit[i]) == 0)
            return true;
    }
    return s->prompt && (csv_has(s->row, METRIC, "MI300X") ||
                         (csv_has(s->row, METRIC, "9070") && strcmp(name, "Llama-3.1") == 0));
}

/* ---- The table ------------------------------------------------------------------------ */

struct speed_score {
    struct score score;
    size_t covered;
};

static void add(struct speed_score *s, struct speed_range r, double measured)
{
    bool inside = measured >= r.low && measured <= r.high;
    score_add(&s->score, r.expected, measured, inside);
    s->covered += inside;
}

static void print(struct speed_score *s)
{
    struct score *c = &s->score;
    printf("| %-32s | %4zu | %6.1f %% | %6.1f %% | %5.1f %% |\n", c->name, c->n,
           100 * score_quantile(c, 0.5), 100 * score_quantile(c, 0.8),
           c->n ? 100.0 * (double)s->covered / (double)c->n : 0);
}

static void speeds(void **state)
{
    (void)state;
    static struct speed_score of[4] = {{.score = {.name = "generation, fitted on"}},
                                       {.score = {.name = "generation, checking"}},
                                       {.score = {.name = "prompt, fitted on"}},
                                       {.score = {.name = "prompt, checking"}}};
    static struct speed_score checking = {.score = {.name = "all that check"}};
    struct csv csv = csv_read(MEASURED), models = csv_read(SPEED_MODELS);
    struct hardware_table table;
    if (csv.n == 0)
        skip();
    hardware_load(&table, NULL);
    for (size_t i = 0; i < csv.n; i++) {
        struct speed_row row;
        if (!read_row(&row, &csv.rows[i], &models, &table))
            continue;
        double measured = strtod(csv.rows[i].field[VALUE], NULL);
        struct speed_range r = estimate(&row);
        bool fitted = is_fitted(&row);
        add(&of[(row.prompt ? 2 : 0) + (fitted ? 0 : 1)], r, measured);
        if (!fitted)
            add(&checking, r, measured);
    }
    printf("\nSpeeds\n\n| rows | n | median error | 80 %% below | covered by the range |\n"
           "|---|---|---|---|---|\n");
    for (size_t i = 0; i < 4; i++)
        print(&of[i]);
    print(&checking);
    assert_true(checking.score.n >= 250);
    assert_true(score_quantile(&checking.score, 0.5) <= 0.15);
    assert_true(checking.covered * 10 >= checking.score.n * 8);
    assert_true(score_quantile(&of[3].score, 0.5) <= 0.15);
    hardware_free(&table);
    free(csv.rows);
    free(models.rows);
}

/* Layers of a 14B model on an RTX 5060 Ti, the rest in RAM: the bandwidth of the RAM follows
 * from the run without the GPU. */
static void partial_offload(void **state)
{
    (void)state;
    struct csv csv = csv_read(MEASURED);
    struct hardware_table table;
    struct hardware gpu;
    static struct speed_score s = {.score = {.name = "partly on the GPU, checking"}};
    double bytes = 13.99e9 * 4.85 / 8, ram = 0;
    if (csv.n == 0)
        skip();
    hardware_load(&table, NULL);
    assert_true(hardware_match(&table, "RTX 5060 Ti 16GB", KINDS_GPU, &gpu));
    for (size_t i = 0; i < csv.n; i++) {
        double measured = strtod(csv.rows[i].field[VALUE], NULL);
        double ngl = csv_param(&csv.rows[i], "ngl", 0), on_gpu = ngl > 48 ? 1 : ngl / 49;
        if (!csv_has(&csv.rows[i], METRIC, "5060 Ti partial"))
            continue;
        if (ngl == 0)
            ram = measured * bytes / 0.65;
        const struct speed_device cpu = {ram, 0.65, 10e-6, 1e12, 0.35};
        const struct speed_part parts[] = {{.device = &gpu.speed,
                                            .weight_bytes = (uint64_t)(bytes * on_gpu),
                                            .layers = (uint32_t)(48 * on_gpu)},
                                           {.device = &cpu,
                                            .weight_bytes = (uint64_t)(bytes * (1 - on_gpu)),
                                            .layers = (uint32_t)(48 * (1 - on_gpu))}};
        struct speed_run run = {.parts = parts, .n_parts = 2, .flash_attention = true};
        if (ngl > 0)
            add(&s, model_speed_generate(&run), measured);
    }
    print(&s);
    assert_true(s.score.n >= 5 && score_quantile(&s.score, 0.5) <= 0.15);
    hardware_free(&table);
    free(csv.rows);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(speeds),
        cmocka_unit_test(partial_offload),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
