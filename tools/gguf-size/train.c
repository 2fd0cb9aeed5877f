/* --train: memory for fine-tuning. */
#include "tools/gguf-size/size.h"

/* Rows and columns of the matrices that get adapters: all of attention and feed-forward. */
static struct training_model collect(const struct situation *s)
{
    const struct gguf *model = s->subject->model;
    struct training_model m = {.parameters = s->weights->elements,
                               .layers = s->subject->h.layers,
                               .embedding = s->subject->h.embedding,
                               .vocab = s->subject->h.vocab};
    for (uint32_t i = 0; i < m.layers; i++) {
        uint64_t elements = s->weights->layer[i].elements;
        m.largest_layer = elements > m.largest_layer ? elements : m.largest_layer;
        uint32_t heads = s->subject->h.layer[i].heads;
        m.heads = heads > m.heads ? heads : m.heads;
    }
    for (size_t i = 0; i < gguf_tensor_count(model); i++) {
        const struct gguf_tensor *t = gguf_tensor_at(model, i);
        bool in_layer = t->name.size > 4 && t->name.data[0] == 'b' && t->name.data[3] == '.';
        if (!in_layer || t->ne[1] <= 1)
            continue;
        m.linear = model_memory_sum(m.linear, t->elements);
        m.rank_columns = model_memory_sum(
            m.rank_columns,
            model_memory_product(model_memory_sum(t->ne[0], t->ne[1]), t->ne[2]));
    }
    return m;
}

static const char *const method_names[] = {"full", "lora", "qlora"};
static const char *const optimizer_names[] = {"adamw", "adamw8bit"};

struct part {
    const char *name, *key;
    uint64_t bytes;
};
enum { N_PARTS = 8 };

static void list_parts(struct part parts[N_PARTS], const struct training_memory *m,
                       uint64_t overhead)
{
    const struct part all[N_PARTS] = {
        {"weights", "weights_bytes", m->weights},
        {"adapters", "adapters_bytes", m->adapters},
        {"gradients", "gradients_bytes", m->gradients},
        {"optimizer", "optimizer_bytes", m->optimizer},
        {"activations", "activations_bytes", m->activations},
        {"logits", "logits_bytes", m->logits},
        {"workspace", "workspace_bytes", m->workspace},
        {"runtime", "overhead_bytes", overhead},
    };
    for (size_t i = 0; i < N_PARTS; i++)
        parts[i] = all[i];
}

static void print_text(const struct situation *s, const struct training_memory *m,
                       const struct part *parts, uint64_t total)
{
    const struct training_settings *t = &s->request->training;
    printf("%s: %s parameters, %s fine-tuning, %s trained\n", s->subject->name,
           term_count(s->weights->elements).text, method_names[t->method],
           term_count(m->trained).text);
    printf("batch %u of %u tokens on each of %u GPU%s, ZeRO stage %u, %s%s\n\n", t->batch,
           t->sequence, t->gpus, t->gpus > 1 ? "s" : "", t->zero, optimizer_names[t->optimizer],
           t->checkpointing ? ", checkpointing" : "");
    struct table *table = table_new("lr");
    table_cell(table, "on each GPU");
    table_cell(table, "");
    for (size_t i = 0; i < N_PARTS; i++) {
        table_cell(table, parts[i].name);
        table_cell(table, parts[i].bytes ? term_bytes(parts[i].bytes).text : "-");
    }
    table_cell(table, "sum");
    table_cell(table, term_bytes(total).text);
    table_print(table, stdout, 0, true);
    table_free(table);
}

/* The smallest GPU decides; 0: no GPU is named or found. */
static uint64_t smallest_gpu(const struct machine *m)
{
    uint64_t least = 0;
    for (size_t i = 0; i < m->n_gpus; i++) {
        uint64_t memory = m->gpus[i].memory - m->gpus[i].taken;
        least = i == 0 || memory < least ? memory : least;
    }
    return least;
}

static void print_json(const struct situation *s, const struct training_memory *m,
                       const struct part *parts, uint64_t total)
{
    const struct training_settings *t = &s->request->training;
    uint64_t memory = smallest_gpu(s->machine);
    cJSON *root = json_object();
    json_text(root, "method", method_names[t->method]);
    json_text(root, "optimizer", optimizer_names[t->optimizer]);
    json_u64(root, "parameters", s->weights->elements);
    json_u64(root, "trained_parameters", m->trained);
    json_u64(root, "gpus", t->gpus);
    json_u64(root, "zero", t->zero);
    cJSON *device = json_add_object(root, "per_gpu");
    for (size_t i = 0; i < N_PARTS; i++)
        json_u64(device, parts[i].key, parts[i].bytes);
    json_u64(device, "total_bytes", total);
    if (memory)
        json_bool(root, "fits", total <= memory);
    json_print(root);
}

int train_report(const struct situation *s)
{
    enum { OVERHEAD_MIB = 800 }; /* CUDA context and the allocator of a framework */
    struct training_model model = collect(s);
    struct training_memory m = model_training_estimate(&model, &s->request->training);
    struct part parts[N_PARTS];
    uint64_t total = model_memory_sum(m.total, OVERHEAD_MIB * MIB);
    uint64_t memory = smallest_gpu(s->machine);
    list_parts(parts, &m, OVERHEAD_MIB * MIB);
    if (s->request->json)
        print_json(s, &m, parts, total);
    else
        print_text(s, &m, parts, total);
    if (!s->request->json && memory)
        printf("\nIt %s: each GPU has %s.\n", total <= memory ? "fits" : "does not fit",
               term_bytes(memory).text);
    return memory && total > memory ? CLI_NO : CLI_OK;
}
