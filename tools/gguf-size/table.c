/* --table: sizes of all types for counts of parameters, and the RAM that fits. */
#include "tools/gguf-size/size.h"

#include <stdlib.h>
#include <string.h>

#define MAX_COUNTS 32

static const char *const types[] = {"Q2_K", "Q3_K_M", "Q4_0", "Q4_K_M", "Q5_K_M",
                                    "Q6_K", "Q8_0",   "F16",  "F32"};
enum { N_TYPES = sizeof types / sizeof types[0] };

/* One count of parameters: bytes of a file of each type. */
struct size_row {
    double parameters;
    uint64_t bytes[N_TYPES], memory[N_TYPES];
};

/* Sizes in which RAM is sold. */
static uint64_t ram_that_fits(uint64_t bytes)
{
    static const uint64_t sizes[] = {4,   8,   12,  16,  24,  32,  48,   64,   96,
                                     128, 192, 256, 384, 512, 768, 1024, 1536, 2048};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        if (bytes <= sizes[i] * GIB)
            return sizes[i] * GIB;
    }
    return (bytes / (1024 * GIB) + 1) * 1024 * GIB;
}

static void fill_row(struct size_row *row, const struct request *request)
{
    struct request own = *request;
    struct subject *subject = cli_alloc(1, sizeof *subject);
    struct weights *w = cli_alloc(1, sizeof *w);
    struct hardware_table table = {0};
    struct machine *machine = cli_alloc(1, sizeof *machine);
    own.shape.parameters = row->parameters;
    own.no_gpu = true;
    own.ram = 1024 * GIB;
    machine_make(machine, &own, &table);
    subject_open(subject, &own);
    struct situation s = {&own, machine, subject, w};
    for (size_t i = 0; i < N_TYPES; i++) {
        struct plan plan;
        row->bytes[i] = mix_weights(w, subject, quant_mix_by_name(types[i]));
        plan_make(&plan, &s);
        row->memory[i] = model_memory_sum(plan.devices[0].high, machine->cpu.taken);
    }
    subject_close(subject);
    free(subject);
    free(w);
    free(machine);
}

static size_t parse_counts(const char *list, struct size_row *rows)
{
    char text[64];
    size_t n = 0;
    for (const char *p = list; p; n++) {
        size_t size = strcspn(p, ",");
        if (n == MAX_COUNTS)
            cli_die("--params: at most %d counts", MAX_COUNTS);
        if (size >= sizeof text)
            cli_die("--params: expected counts like 7B,14B, found \"%s\"", p);
        snprintf(text, sizeof text, "%.*s", (int)size, p);
        rows[n].parameters = parse_parameters("params", text);
        p = p[size] ? p + size + 1 : NULL;
    }
    return n;
}

static void print_rows(const struct size_row *rows, size_t n)
{
    struct table *t = table_new("lrrrrrrrrr");
    table_cell(t, "parameters");
    for (size_t i = 0; i < N_TYPES; i++)
        table_cell(t, types[i]);
    for (size_t r = 0; r < n; r++) {
        table_cell(t, term_count((uint64_t)rows[r].parameters).text);
        for (size_t i = 0; i < N_TYPES; i++)
            table_cell(t, term_bytes(rows[r].bytes[i]).text);
        table_cell(t, "  RAM");
        for (size_t i = 0; i < N_TYPES; i++)
            table_cellf(t, "%llu GiB",
                        (unsigned long long)(ram_that_fits(rows[r].memory[i]) / GIB));
    }
    table_print(t, stdout, 0, true);
    table_free(t);
}

static void print_json(const struct size_row *rows, size_t n)
{
    cJSON *root = json_array();
    for (size_t r = 0; r < n; r++) {
        cJSON *o = json_add_object(root, NULL);
        json_f64(o, "parameters", rows[r].parameters);
        cJSON *list = json_add_array(o, "sizes");
        for (size_t i = 0; i < N_TYPES; i++) {
            cJSON *item = json_add_object(list, NULL);
            json_text(item, "type", types[i]);
            json_u64(item, "file_bytes", rows[r].bytes[i]);
            json_u64(item, "total_bytes", rows[r].memory[i]);
            json_u64(item, "ram_bytes", ram_that_fits(rows[r].memory[i]));
        }
    }
    json_print(root);
}

void table_report(const struct request *request)
{
    struct size_row rows[MAX_COUNTS] = {{0}};
    size_t n = parse_counts(request->params, rows);
    for (size_t i = 0; i < n; i++)
        fill_row(&rows[i], request);
    if (request->json) {
        print_json(rows, n);
        return;
    }
    print_rows(rows, n);
    printf("\nRAM: the smallest of the usual sizes that holds the weights, the KV cache of a "
           "context of %llu and the\nbuffers, and leaves 2 GiB for the system.\n",
           request->run.context ? (unsigned long long)request->run.context : 8192);
}
