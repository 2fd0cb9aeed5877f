/* Memory estimates: cells, rows, states, limits; and against what llama.cpp reserves. */
#include "tests/unit/accuracy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include "model/model.h"

static const struct memory_run plain_run = {.context = 4096,
                                            .sequences = 1,
                                            .batch = 512,
                                            .type_k = GGUF_F16,
                                            .type_v = GGUF_F16,
                                            .flash_attention = true};

static struct memory_run run_with(const char *engine)
{
    struct memory_run run = plain_run;
    run.engine = model_memory_engine_find(engine);
    assert_non_null(run.engine);
    return run;
}

/* Two layers of 8 heads of 64 over 2: the second has a window of 1024. */
static struct model_hparams *small_model(void)
{
    struct model_hparams *h = calloc(1, sizeof *h);
    assert_non_null(h);
    h->layers = 2;
    h->embedding = 512;
    h->vocab = 1000;
    h->key_length = h->value_length = h->key_length_sliding = h->value_length_sliding = 64;
    h->window = 1024;
    for (uint32_t i = 0; i < 2; i++)
        h->layer[i] = (struct model_layer_hparams){
            .heads = 8, .kv_heads = 2, .ff_length = 2048, .sliding = i == 1, .own_cache = true};
    return h;
}

static void engines(void **state)
{
    (void)state;
    assert_ptr_equal(model_memory_engine_find("c"), model_memory_engine_newest());
    assert_ptr_equal(model_memory_engine_find("C"), model_memory_engine_newest());
    assert_null(model_memory_engine_find("D"));
    for (size_t i = 0; model_memory_engine_at(i); i++)
        assert_ptr_equal(model_memory_engine_find(model_memory_engine_at(i)->name),
                         model_memory_engine_at(i));
}

static void cells(void **state)
{
    (void)state;
    struct model_hparams *h = small_model();
    struct memory_run run = run_with("C");
    assert_int_equal(model_memory_cells(h, &run, 0), 4096);
    assert_int_equal(model_memory_cells(h, &run, 1), 1536); /* 1024 + 512 */
    run.batch = 100;
    assert_int_equal(model_memory_cells(h, &run, 1), 1280); /* 1124, padded */
    run.full_window = true;
    assert_int_equal(model_memory_cells(h, &run, 1), 4096);
    run = run_with("C");
    run.context = 5000;
    assert_int_equal(model_memory_cells(h, &run, 0), 5120);
    run.sequences = 4; /* 1250 each */
    assert_int_equal(model_memory_cells(h, &run, 0), 4 * 1280);
    run = run_with("2025-02");
    run.context = 1000;
    assert_int_equal(model_memory_cells(h, &run, 1), 1024);
    run.flash_attention = false;
    run.context = 1025;
    assert_int_equal(model_memory_cells(h, &run, 1), 1056);
    free(h);
}

static void rows(void **state)
{
    (void)state;
    struct model_hparams *h = small_model();
    struct memory_run run = run_with("C");
    uint64_t bytes[2];
    model_memory_cell_bytes(h, &run, 0, bytes);
    assert_int_equal(bytes[0], 256);
    assert_int_equal(bytes[1], 256);
    run.type_k = GGUF_Q8_0;
    run.type_v = GGUF_Q4_0;
    model_memory_cell_bytes(h, &run, 0, bytes);
    assert_int_equal(bytes[0], 4 * 34);
    assert_int_equal(bytes[1], 4 * 18);
    h->layer[0].own_cache = false;
    assert_int_equal(model_memory_kv(h, &run, 0), 0);
    h->kv_lora_rank = 512;
    h->rope.dims = 64;
    h->key_length_mla = 192;
    h->value_length_mla = 128;
    run = run_with("A");
    assert_int_equal(model_memory_kv(h, &run, 1), 1536 * 576 * 2);
    run = run_with("2025-02");
    assert_int_equal(model_memory_kv(h, &run, 1), 4096 * (8 * 192 + 8 * 128) * 2);
    free(h);
}

static void states(void **state)
{
    (void)state;
    struct memory_run run = run_with("C");
    struct model_hparams *h = small_model();
    assert_int_equal(model_memory_recurrent(h, &run, 0), 0);
    h->layer[0].recurrent = true;
    h->shortconv_cache = 3;
    assert_int_equal(model_memory_recurrent(h, &run, 0), 4 * 2 * 512);
    run.sequences = 5;
    assert_int_equal(model_memory_recurrent(h, &run, 0), 5 * 4 * 2 * 512);
    h->shortconv_cache = 0;
    h->wkv_head_size = 64;
    h->token_shift_count = 2;
    run.sequences = 1;
    assert_int_equal(model_memory_recurrent(h, &run, 0), 4 * (2 * 512 + 64 * 512));
    h->wkv_head_size = 0;
    h->kda_head_dim = 128;
    h->ssm_conv_kernel = 4;
    assert_int_equal(model_memory_recurrent(h, &run, 0), 4 * (3 * 3 * 8 * 128 + 128 * 128 * 8));
    assert_int_equal(model_memory_output(h, &run), 4000);
    free(h);
}

/* Sizes past 2^63 stop there and do not wrap. */
static void limits(void **state)
{
    (void)state;
    struct model_hparams *h = small_model();
    struct memory_run run = run_with("C");
    run.context = (uint64_t)1 << 62;
    run.batch = UINT32_MAX;
    h->layer[0].kv_heads = h->layer[0].heads = UINT32_MAX;
    h->key_length = h->value_length = UINT32_MAX;
    h->embedding = h->vocab = UINT32_MAX;
    struct memory_share share = {.gpu = true, .output = true, .whole = true, .last = 2};
    assert_true(model_memory_kv(h, &run, 0) == MEMORY_MAX);
    struct memory_range r = model_memory_compute(h, &run, &share);
    assert_true(r.low <= r.expected && r.expected <= r.high && r.high <= MEMORY_MAX);
    assert_true(model_memory_sum(MEMORY_MAX, 1) == MEMORY_MAX);
    assert_true(model_memory_product(MEMORY_MAX, 2) == MEMORY_MAX);
    free(h);
}

/* What each option does to the compute buffer. */
static void compute_parts(void **state)
{
    (void)state;
    struct model_hparams *h = small_model();
    struct memory_run run = run_with("C");
    struct memory_share share = {.gpu = true, .output = true, .whole = true, .last = 2};
    uint64_t base = model_memory_compute(h, &run, &share).expected;
    share.staged = 1000000;
    assert_int_equal(model_memory_compute(h, &run, &share).expected, base + 1000000);
    share.staged = 0;
    share.copies = 4; /* three more masks, of 4096 and of 1536 cells, f16 */
    assert_int_equal(model_memory_compute(h, &run, &share).expected,
                     base + 3 * (4096 + 1536) * 512 * 2);
    share.copies = 1;
    run.type_k = run.type_v = GGUF_Q8_0; /* an f16 copy of K and V of a layer */
    assert_int_equal(model_memory_compute(h, &run, &share).expected, base + 4096 * 256 * 2);
    run = run_with("A"); /* logits of the whole batch */
    assert_true(model_memory_compute(h, &run, &share).expected >= 4ull * 512 * 1000);
    free(h);
}

/* Attention in some layers and a state in the others: the bytes are those that llama.cpp of
 * 2026-09 says for two sequences of 8192 tokens together. */
static uint64_t kept(const struct model_hparams *h, const struct memory_run *run)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < h->layers; i++)
        sum += model_memory_kv(h, run, i) + model_memory_recurrent(h, run, i);
    return sum;
}

static void hybrids(void **state)
{
    (void)state;
    struct memory_run run = run_with("C");
    struct model_hparams *h = calloc(1, sizeof *h);
    assert_non_null(h);
    run.context = 8192;
    run.sequences = 2;
    *h = (struct model_hparams){.layers = 65,
                                .nextn_layers = 1, /* keeps nothing */
                                .embedding = 5120,
                                .key_length = 256,
                                .value_length = 256,
                                .ssm_conv_kernel = 4,
                                .ssm_inner_size = 6144,
                                .ssm_state_size = 128,
                                .ssm_group_count = 16};
    for (uint32_t i = 0; i < 65; i++) {
        bool full = (i + 1) % 4 == 0 || i == 64;
        h->layer[i] = (struct model_layer_hparams){
            .heads = 24, .kv_heads = 4, .own_cache = full, .recurrent = !full};
    }
    assert_int_equal(kept(h, &run), 850657280);
    *h = (struct model_hparams){.layers = 16,
                                .embedding = 2048,
                                .key_length = 64,
                                .value_length = 64,
                                .shortconv_cache = 3};
    for (uint32_t i = 0; i < 16; i++) {
        bool full = i == 2 || i == 5 || i == 8 || i == 10 || i == 12 || i == 14;
        h->layer[i] = (struct model_layer_hparams){
            .heads = 32, .kv_heads = full ? 8 : 0, .own_cache = full, .recurrent = !full};
    }
    assert_int_equal(kept(h, &run), 100990976);
    free(h);
}

/* ---- Against the engine ---------------------------------------------------------------- */

#define ENGINE_ROWS   "tests/data/memory_llama.csv"
#define GOLDEN_ROWS   "tests/data/memory_golden.csv"
#define GOLDEN_FOLDER "../shared/golden-eval"
enum { ENGINE_FIELDS = 19, GOLDEN_FIELDS = 7 };

/* A row as numbers; the architecture and the type of the cache are text. */
struct engine_row {
    char line[512];
    const char *text[ENGINE_FIELDS];
    uint64_t n[ENGINE_FIELDS];
};

static bool read_engine_row(FILE *f, struct engine_row *row, size_t fields)
{
    size_t n = 0;
    while (fgets(row->line, sizeof row->line, f)) {
        if (row->line[0] == '#' || strncmp(row->line, "architecture", 12) == 0 ||
            strncmp(row->line, "file,", 5) == 0)
            continue;
        for (char *p = row->line; p && n < fields; n++) {
            char *comma = strpbrk(p, ",\n");
            if (comma)
                *comma = '\0';
            row->text[n] = p;
            row->n[n] = strtoull(p, NULL, 10);
            p = comma ? comma + 1 : NULL;
        }
        return n == fields;
    }
    return false;
}

static struct model_hparams *engine_model(const struct engine_row *row)
{
    struct model_hparams *h = calloc(1, sizeof *h);
    assert_non_null(h);
    h->architecture = (struct gguf_str){row->text[0], strlen(row->text[0])};
    h->layers = (uint32_t)row->n[1];
    h->embedding = (uint32_t)row->n[2];
    h->vocab = (uint32_t)row->n[7];
    h->key_length = h->value_length = (uint32_t)row->n[5];
    h->key_length_sliding = h->value_length_sliding = (uint32_t)row->n[5];
    h->window = (uint32_t)row->n[8];
    h->experts = (uint32_t)row->n[9];
    uint32_t period = strcmp(row->text[0], "gemma2") == 0 ? 2 : 6;
    for (uint32_t i = 0; i < h->layers; i++)
        h->layer[i] =
            (struct model_layer_hparams){.heads = (uint32_t)row->n[3],
                                         .kv_heads = (uint32_t)row->n[4],
                                         .ff_length = (uint32_t)row->n[6],
                                         .experts_used = (uint32_t)row->n[10],
                                         .expert_ff_length = (uint32_t)row->n[11],
                                         .sliding = h->window && i % period != period - 1,
                                         .own_cache = true};
    return h;
}

static struct memory_run engine_run(const struct engine_row *row)
{
    const struct gguf_type_info *type = gguf_type_by_name(row->text[16]);
    struct memory_run run = run_with("C");
    run.context = row->n[12];
    run.batch = (uint32_t)row->n[13];
    run.sequences = (uint32_t)row->n[14];
    run.flash_attention = row->n[15] == 1;
    run.type_k = run.type_v = (enum gguf_type)type->id;
    return run;
}

static void engine(void **state)
{
    (void)state;
    static struct score compute = {.name = "compute"};
    struct engine_row row;
    FILE *f = fopen(ENGINE_ROWS, "r");
    size_t inside = 0;
    assert_non_null(f);
    while (read_engine_row(f, &row, ENGINE_FIELDS)) {
        struct model_hparams *h = engine_model(&row);
        struct memory_run run = engine_run(&row);
        struct memory_share share = {
            .output = true, .whole = true, .last = h->layers, .copies = 1};
        struct memory_range r = model_memory_compute(h, &run, &share);
        uint64_t cache = 0;
        for (uint32_t i = 0; i < h->layers; i++)
            cache += model_memory_kv(h, &run, i);
        assert_int_equal(cache, row.n[17]);
        inside += row.n[18] >= r.low && row.n[18] <= r.high;
        score_add(&compute, (double)r.expected, (double)row.n[18], false);
        free(h);
    }
    fclose(f);
    printf(
        "compute buffers of llama.cpp 2026-09: %zu, %zu within 2 %%, %zu within 15 %%, %zu in "
        "the range, median error %.2f %%\n",
        compute.n, compute.close, compute.near, inside, 100 * score_quantile(&compute, 0.5));
    assert_true(compute.n >= 40);
    assert_true(compute.close * 10 >= compute.n * 5);
    assert_int_equal(compute.near, compute.n);
}

/* Real headers: hyperparameters and estimates together. */
static void compare_golden(const struct engine_row *row, struct score *compute, size_t *inside)
{
    static struct model_hparams h;
    char path[512];
    struct gguf *model;
    struct memory_run run = run_with("C");
    snprintf(path, sizeof path, "%s/%s", GOLDEN_FOLDER, row->text[0]);
    assert_int_equal(gguf_open(&model, path, 0, NULL), GGUF_OK);
    assert_int_equal(model_hparams_read_shape(&h, model, NULL), GGUF_OK);
    run.context = row->n[1];
    run.batch = (uint32_t)row->n[2];
    run.sequences = (uint32_t)row->n[3];
    run.flash_attention = row->n[4] == 1;
    uint64_t cache = 0;
    for (uint32_t i = 0; i < h.layers; i++)
        cache += model_memory_kv(&h, &run, i) + model_memory_recurrent(&h, &run, i);
    if (cache != row->n[5])
        fail_msg("%s: a cache of %llu, expected %llu", row->text[0], (unsigned long long)cache,
                 (unsigned long long)row->n[5]);
    struct memory_share share = {.output = true, .whole = true, .last = h.layers, .copies = 1};
    struct memory_range r = model_memory_compute(&h, &run, &share);
    *inside += row->n[6] >= r.low && row->n[6] <= r.high;
    score_add(compute, (double)r.expected, (double)row->n[6], false);
    gguf_close(model);
}

static void golden(void **state)
{
    (void)state;
    static struct score compute = {.name = "compute"};
    struct engine_row row;
    size_t inside = 0;
    FILE *shared = fopen(GOLDEN_FOLDER "/llama.gguf", "rb");
    if (!shared)
        skip();
    fclose(shared);
    FILE *f = fopen(GOLDEN_ROWS, "r");
    assert_non_null(f);
    while (read_engine_row(f, &row, GOLDEN_FIELDS))
        compare_golden(&row, &compute, &inside);
    fclose(f);
    printf("compute buffers of %zu runs of small models: %zu within 2 %%, %zu within 15 %%, "
           "%zu in the "
           "range\n",
           compute.n, compute.close, compute.near, inside);
    assert_true(compute.n >= 50);
    assert_int_equal(inside, compute.n);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(engines), cmocka_unit_test(cells),  cmocka_unit_test(rows),
        cmocka_unit_test(states),  cmocka_unit_test(limits), cmocka_unit_test(compute_parts),
        cmocka_unit_test(hybrids), cmocka_unit_test(engine), cmocka_unit_test(golden),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
