/*
 * The estimates against measured data, and the table of docs/accuracy.md. Rows that formulas
 * or numbers of devices were fitted on are counted apart from those that check them.
 */
#include "tests/unit/accuracy.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include "model/model.h"
#include "tools/common/hardware.h"

#define MIB_F 1048576.0

static void print_score(struct score *s)
{
    printf("| %-44s | %4zu | %5zu | %5zu | %5zu | %6zu | %6.1f %% |\n", s->name, s->n, s->exact,
           s->close, s->near, s->inside, 100 * score_quantile(s, 0.5));
}

static void print_heading(const char *title)
{
    printf("\n%s\n\n| rows | n | exact | 2 %% | 15 %% | 15 %% or in range | median error |\n"
           "|---|---|---|---|---|---|---|\n",
           title);
}

static bool starts_with(const char *text, const char *start)
{
    return strncmp(text, start, strlen(start)) == 0;
}

/* ---- A run from a row ----------------------------------------------------------------- */

static bool is_mla(const struct csv_row *row)
{
    return csv_has(row, PARAMS, "arch=deepseek2") || csv_has(row, MODEL, "DeepSeek-R1/V3");
}

static const struct memory_engine *engine_of(const struct csv_row *row)
{
    bool latent = csv_has(row, METRIC, "c^KV");
    if (csv_has(row, PARAMS, "engine=ik"))
        return model_memory_engine_find(is_mla(row) && !latent ? "2025-02" : "ik");
    if (csv_has(row, PARAMS, "mainline") && latent)
        return model_memory_engine_find("A");
    return model_memory_engine_find("2025-02");
}

static enum gguf_type type_in(const char *text)
{
    static const char *const names[] = {"(f16)", "(q8_0)", "(q4_0)"};
    static const enum gguf_type types[] = {GGUF_F16, GGUF_Q8_0, GGUF_Q4_0};
    const char *first = NULL;
    enum gguf_type type = GGUF_F16;
    for (size_t i = 0; i < 3; i++) {
        const char *at = strstr(text, names[i]);
        if (at && (!first || at < first)) {
            first = at;
            type = types[i];
        }
    }
    return type;
}

static struct memory_run run_of(const struct csv_row *row)
{
    const char *second = strstr(row->field[METRIC], "), V (");
    if (!second)
        second = strstr(row->field[METRIC], "V (");
    const char *metric = row->field[METRIC];
    return (struct memory_run){.engine = engine_of(row),
                               .context = (uint64_t)strtod(row->field[CTX], NULL),
                               .sequences = 1,
                               .batch = (uint32_t)strtod(row->field[UBATCH], NULL),
                               .type_k = type_in(metric),
                               .type_v = second ? type_in(second) : type_in(metric),
                               .flash_attention = *row->field[FLASH] == '1'};
}

static struct gguf_str architecture_of(const struct csv_row *row)
{
    const char *at = strstr(row->field[PARAMS], "arch=");
    if (!at || starts_with(at, "arch=None"))
        return (struct gguf_str){is_mla(row) ? "deepseek2" : "?", is_mla(row) ? 9 : 1};
    return (struct gguf_str){at + 5, strcspn(at + 5, " ")};
}

/* "ngl=62/62" counts the output as well; it is right where n_layer is another's. */
static uint32_t layers_of(const struct csv_row *row)
{
    const char *ngl = strstr(row->field[PARAMS], "ngl=");
    const char *slash = ngl ? memchr(ngl, '/', strcspn(ngl, " ")) : NULL;
    if (slash)
        return (uint32_t)strtod(slash + 1, NULL) - 1;
    return (uint32_t)csv_param(row, "n_layer", is_mla(row) ? 61 : 0);
}

static void fill_attention(struct model_hparams *h, const struct csv_row *row)
{
    double embedding = csv_param(row, "n_embd", 0), heads = csv_param(row, "n_head", 1);
    double kv_heads = csv_param(row, "n_head_kv", heads);
    double length = csv_param(row, "n_embd_head_k", csv_param(row, "head_dim", 0));
    double k = csv_param(row, "n_embd_k_gqa", 0), v = csv_param(row, "n_embd_v_gqa", k);
    length = length > 0 ? length : k > 0 ? k / kv_heads : embedding / heads;
    h->embedding = (uint32_t)embedding;
    h->vocab = (uint32_t)csv_param(row, "n_vocab", 0);
    h->key_length = h->key_length_sliding = (uint32_t)length;
    h->value_length = h->value_length_sliding = (uint32_t)(v > 0 ? v / kv_heads : length);
    for (uint32_t i = 0; i < h->layers; i++)
        h->layer[i] =
            (struct model_layer_hparams){.heads = (uint32_t)heads,
                                         .kv_heads = (uint32_t)kv_heads,
                                         .ff_length = (uint32_t)csv_param(row, "n_ff", 0),
                                         .own_cache = true};
}

/* What the data does not say of an architecture. */
static void fill_architecture(struct model_hparams *h, const struct csv_row *row)
{
    if (is_mla(row)) {
        h->kv_lora_rank = 512;
        h->rope.dims = 64;
        h->key_length_mla = 192;
        h->value_length_mla = 128;
        h->experts = 256;
    }
    if (csv_has(row, PARAMS, "arch=gemma3"))
        h->window = 1024; /* a second mask, also where the cache is whole */
    if (csv_has(row, PARAMS, "arch=qwen3moe")) {
        h->experts = 128;
        for (uint32_t i = 0; i < h->layers; i++) {
            h->layer[i].experts_used = 8;
            h->layer[i].expert_ff_length = h->embedding == 4096 ? 1536 : 768;
        }
    }
}

static struct model_hparams *hparams_of(const struct csv_row *row)
{
    struct model_hparams *h = calloc(1, sizeof *h);
    assert_non_null(h);
    h->architecture = architecture_of(row);
    h->layers = layers_of(row);
    assert_in_range(h->layers, 0, MODEL_MAX_LAYERS);
    fill_attention(h, row);
    fill_architecture(h, row);
    return h;
}

/* ---- KV cache and recurrent state ---------------------------------------------------- */

/* Rows whose labels are those of another log: their size is that of another context, or of
 * another model, to the digit. */
static const struct {
    const char *model, *size, *label, *real;
} mislabelled[] = {
    {"Qwen3-30B-A3B", "3995.0", "30B", "Qwen3-235B: 119 GiB of weights, 94 layers"},
    {"DeepSeek R1", "2196.0", "a context of 20480", "32768"},
    {"DeepSeek R1", "3431.25", "a context of 32768", "51200"},
};

static bool is_mislabelled(const struct csv_row *row)
{
    for (size_t i = 0; i < sizeof mislabelled / sizeof mislabelled[0]; i++) {
        if (strcmp(row->field[MODEL], mislabelled[i].model) == 0 &&
            strcmp(row->field[VALUE], mislabelled[i].size) == 0)
            return true;
    }
    return false;
}

/* -mla 1 of ik_llama.cpp keeps a second, transposed copy: no engine here does. Layers of
 * gemma-4-12b of which the row does not say the width are left out too. */
static bool is_kv_row(const struct csv_row *row)
{
    const char *metric = row->field[METRIC];
    bool kv = starts_with(metric, "kv_self_size") || starts_with(metric, "kv_buffer[");
    return kv && !strstr(metric, "kv^T (f16)") && layers_of(row) > 0 && !is_mislabelled(row);
}

static double kv_mib(const struct csv_row *row)
{
    struct model_hparams *h = hparams_of(row);
    struct memory_run run = run_of(row);
    uint64_t sum = 0;
    for (uint32_t i = 0; i < h->layers; i++)
        sum += model_memory_kv(h, &run, i);
    free(h);
    return (double)sum / MIB_F;
}

static void add_recurrent(struct score *s)
{
    static struct model_hparams h;
    struct memory_run run = {
        model_memory_engine_newest(), 512, 1, 512, GGUF_F16, GGUF_F16, 0, 0};
    uint64_t mamba = 0, qwen = 0;
    h = (struct model_hparams){
        .layers = 64, .ssm_conv_kernel = 4, .ssm_inner_size = 5120, .ssm_state_size = 16};
    for (uint32_t i = 0; i < 64; i++) {
        h.layer[i].recurrent = true;
        mamba += model_memory_recurrent(&h, &run, i);
    }
    score_add(s, (double)mamba / MIB_F, 23.75, true);
    h = (struct model_hparams){.layers = 64,
                               .ssm_conv_kernel = 4,
                               .ssm_inner_size = 6144,
                               .ssm_state_size = 128,
                               .ssm_group_count = 16};
    run.sequences = 3;
    for (uint32_t i = 0; i < 48; i++) {
        h.layer[i].recurrent = true;
        qwen += model_memory_recurrent(&h, &run, i);
    }
    score_add(s, (double)qwen / MIB_F, 448.88, true);
}

static void kv_cache(void **state)
{
    (void)state;
    struct csv csv = csv_read(MEASURED);
    static struct score kv = {.name = "KV cache"};
    static struct score recurrent = {.name = "recurrent state"};
    if (csv.n == 0)
        skip();
    for (size_t i = 0; i < csv.n; i++) {
        if (!is_kv_row(&csv.rows[i]))
            continue;
        double measured = strtod(csv.rows[i].field[VALUE], NULL),
               expected = kv_mib(&csv.rows[i]);
        score_add(&kv, expected, measured, true);
        if (fabs(expected - measured) > 0.0151)
            printf("KV: %s %s: %.2f, expected %.2f\n", csv.rows[i].field[MODEL],
                   csv.rows[i].field[METRIC], measured, expected);
    }
    add_recurrent(&recurrent);
    print_heading("Memory that stays (checking; nothing is fitted)");
    print_score(&kv);
    print_score(&recurrent);
    assert_true(kv.n >= 60);
    assert_int_equal(kv.exact, kv.n);
    assert_int_equal(recurrent.exact, recurrent.n);
    free(csv.rows);
}

/* ---- Compute buffers -------------------------------------------------------------------- */

/* The rows of one log. */
struct log {
    const struct csv_row *rows;
    size_t n;
    uint32_t gpus; /* that have a compute buffer */
    uint32_t last; /* number of the last one */
    bool experts_in_ram;
    double kv_quantized;
};

static bool same_log(const struct csv_row *a, const struct csv_row *b)
{
    for (int f = SOURCE; f <= FLASH; f++) {
        if (strcmp(a->field[f], b->field[f]) != 0)
            return false;
    }
    return true;
}

static struct log log_at(const struct csv *csv, size_t i)
{
    struct log log = {.rows = &csv->rows[i]};
    double on_cpu = 0;
    while (i + log.n < csv->n && same_log(&csv->rows[i], &csv->rows[i + log.n])) {
        const char *metric = log.rows[log.n].field[METRIC];
        double value = strtod(log.rows[log.n].field[VALUE], NULL);
        /* several runs of one configuration follow each other */
        if (log.n && starts_with(metric, "kv_self_size"))
            break;
        if (starts_with(metric, "compute_buffer[CUDA") && metric[19] != '_') {
            log.last = (uint32_t)strtod(metric + 19, NULL);
            log.gpus++;
        }
        if (starts_with(metric, "model_buffer[CPU"))
            on_cpu += value;
        log.n++;
    }
    log.experts_in_ram = csv_has(log.rows, PARAMS, "qwen3moe") && on_cpu > 2000;
    return log;
}

static bool all_layers_on_gpu(const struct csv_row *row)
{
    double ngl = csv_param(row, "ngl", -1);
    return ngl > layers_of(row);
}

/* What a row can be compared with: a placement that is known, no MLA of ik_llama.cpp. */
static bool is_compared(const struct log *log)
{
    const struct csv_row *row = log->rows;
    double ngl = csv_param(row, "ngl", -1);
    bool ik = csv_has(row, PARAMS, "engine=ik"), experts = csv_has(row, PARAMS, "qwen3moe");
    if (layers_of(row) == 0 || (is_mla(row) && ik) || *row->field[QUANT] == '?')
        return false;
    if (log->gpus == 0)
        return true;
    if (log->gpus > 1)
        return !log->experts_in_ram && all_layers_on_gpu(row);
    /* of the mainline logs with experts in RAM, those whose quantization is named */
    if (experts && !ik && strcmp(row->field[QUANT], "Q6_K") != 0)
        return false;
    return all_layers_on_gpu(row) || (ngl == 0 && experts && !ik);
}

static enum gguf_type kv_type_of(const struct log *log)
{
    for (size_t i = 0; i < log->n; i++) {
        if (starts_with(log->rows[i].field[METRIC], "kv_"))
            return type_in(log->rows[i].field[METRIC]);
    }
    return GGUF_F16;
}

static struct memory_share share_of(const struct log *log, const struct csv_row *row,
                                    const struct model_hparams *h)
{
    const char *metric = row->field[METRIC];
    struct memory_share share = {.last = h->layers, .copies = 1};
    share.gpu = strstr(metric, "[CUDA") != NULL;
    uint32_t number = share.gpu ? (uint32_t)strtod(metric + 19, NULL) : 0;
    bool full = all_layers_on_gpu(log->rows);
    share.output = share.gpu ? full && number == log->last : log->gpus == 0;
    share.whole = log->gpus <= 1 && !log->experts_in_ram;
    if (log->gpus > 1 && full && !log->experts_in_ram)
        share.copies = 4;
    if (log->experts_in_ram) /* one layer's experts as Q6_K */
        share.staged =
            (uint64_t)h->embedding * h->layer[0].expert_ff_length * h->experts * 210 / 256;
    return share;
}

/* Logs that the formulas of memory.c were found with. */
static bool is_fitted(const struct csv_row *row)
{
    static const char *const sources[] = {"discussions/334", "discussions/397", "issues/539",
                                          "pull/344",        "pull/552",        "issues/6160",
                                          "motlie"};
    for (size_t i = 0; i < sizeof sources / sizeof sources[0]; i++) {
        if (csv_has(row, SOURCE, sources[i]))
            return true;
    }
    return false;
}

struct compute_scores {
    struct score *plain, *plain_fit, *plain_check, *other, *host;
};

static bool is_dense_alone(const struct log *log)
{
    const struct csv_row *row = log->rows;
    return !csv_has(row, PARAMS, "moe") && !is_mla(row) && log->gpus <= 1 &&
           !csv_has(row, PARAMS, "2 GPUs");
}

static bool add_range(struct score *s, struct memory_range r, double measured)
{
    bool inside =
        measured >= (double)r.low / MIB_F - 0.01 && measured <= (double)r.high / MIB_F + 0.01;
    score_add(s, (double)r.expected / MIB_F, measured, inside);
    return inside;
}

static void add_compute_row(struct compute_scores *s, const struct log *log,
                            const struct csv_row *row)
{
    double measured = strtod(row->field[VALUE], NULL);
    struct model_hparams *h = hparams_of(row);
    struct memory_run run = run_of(row);
    struct memory_share share = share_of(log, row, h);
    run.type_k = run.type_v = kv_type_of(log);
    if (csv_has(row, METRIC, "_Host") && log->gpus == 0) {
        free(h); /* of the GPU beside it nothing is known */
        return;
    }
    if (csv_has(row, METRIC, "_Host")) {
        struct memory_range r = model_memory_compute_host(h, &run, share.copies);
        add_range(s->host, r, measured);
    } else {
        struct memory_range r = model_memory_compute(h, &run, &share);
        bool plain = is_dense_alone(log);
        bool inside = add_range(plain ? s->plain : s->other, r, measured);
        if (plain)
            add_range(is_fitted(row) ? s->plain_fit : s->plain_check, r, measured);
        double expected = (double)r.expected / MIB_F;
        if (fabs(expected - measured) > (plain ? 0.02 : 0.15) * measured)
            printf("compute: %s %s %s: measured %.2f, expected %.2f, %s\n", row->field[MODEL],
                   row->field[PARAMS], row->field[METRIC], measured, expected,
                   inside ? "in range" : "outside the range");
    }
    free(h);
}

static bool is_compute_row(const struct csv_row *row)
{
    return starts_with(row->field[METRIC], "compute_buffer[") &&
           strtod(row->field[VALUE], NULL) > 0;
}

static void add_log(struct compute_scores *s, const struct log *log)
{
    for (size_t i = 0; i < log->n; i++) {
        bool beside_gpu = log->gpus && csv_has(&log->rows[i], METRIC, "[CPU]");
        if (is_compute_row(&log->rows[i]) && !beside_gpu)
            add_compute_row(s, log, &log->rows[i]);
    }
}

static void compute_buffers(void **state)
{
    (void)state;
    static struct score plain = {.name = "compute, dense, one device"};
    static struct score fit = {.name = "- of these, fitted on"};
    static struct score check = {.name = "- of these, checking"};
    static struct score other = {.name = "compute, experts, MLA or several GPUs"};
    static struct score host = {.name = "compute in host memory"};
    struct compute_scores scores = {&plain, &fit, &check, &other, &host};
    struct csv csv = csv_read(MEASURED);
    if (csv.n == 0)
        skip();
    for (size_t i = 0; i < csv.n;) {
        struct log log = log_at(&csv, i);
        if (is_compared(&log))
            add_log(&scores, &log);
        i += log.n;
    }
    print_heading("Compute buffers");
    print_score(&plain);
    print_score(&fit);
    print_score(&check);
    print_score(&other);
    print_score(&host);
    assert_true(plain.n >= 10 && plain.close * 10 >= plain.n * 9);
    assert_true(other.n >= 10);
    assert_int_equal(other.inside, other.n);
    assert_int_equal(host.inside, host.n);
    free(csv.rows);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(kv_cache),
        cmocka_unit_test(compute_buffers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
