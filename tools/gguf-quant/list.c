/* --list: the mixes, with the bits per weight that the recipe gives a common model. */
#include "tools/common/header.h"
#include "tools/gguf-quant/job.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

enum { LAYERS = 32, WIDTH = 4096, FFN = 14336, KV_WIDTH = 1024, VOCABULARY = 128256 };

static const struct {
    const char *name;
    uint64_t columns, rows;
} layer_tensors[] = {
    {"attn_q", WIDTH, WIDTH},      {"attn_k", WIDTH, KV_WIDTH}, {"attn_v", WIDTH, KV_WIDTH},
    {"attn_output", WIDTH, WIDTH}, {"ffn_gate", WIDTH, FFN},    {"ffn_up", WIDTH, FFN},
    {"ffn_down", FFN, WIDTH},
};
#define LAYER_TENSORS (sizeof layer_tensors / sizeof layer_tensors[0])

/*
 * A header without data of a model in the shape of Llama 3 8B: the recipe looks at names,
 * shapes and a few keys, and thus says what every mix comes to.
 */
static struct header *make_header(void)
{
    struct header *h = header_new("llama");
    header_u32(h, "block_count", LAYERS);
    header_u32(h, "attention.head_count", 32);
    header_u32(h, "attention.head_count_kv", 8);
    header_tensor(h, "token_embd.weight", GGUF_F16, (const uint64_t[]){WIDTH, VOCABULARY, 1});
    header_tensor(h, "output.weight", GGUF_F16, (const uint64_t[]){WIDTH, VOCABULARY, 1});
    for (unsigned layer = 0; layer < LAYERS; layer++) {
        for (size_t i = 0; i < LAYER_TENSORS; i++) {
            const uint64_t shape[] = {layer_tensors[i].columns, layer_tensors[i].rows, 1};
            char name[64];
            snprintf(name, sizeof name, "blk.%u.%s.weight", layer, layer_tensors[i].name);
            header_tensor(h, name, GGUF_F16, shape);
        }
    }
    return h;
}

static double bits_per_weight(const struct gguf *model, const struct quant_mix *mix)
{
    struct quant_recipe recipe = {
        .mix = mix, .output_type = QUANT_TYPE_NONE, .embedding_type = QUANT_TYPE_NONE};
    size_t n = gguf_tensor_count(model);
    struct quant_choice *choices = cli_alloc(n, sizeof *choices);
    uint64_t total = 0, elements = 0;
    if (quant_recipe_apply(model, &recipe, false, choices, NULL))
        cli_die_memory();
    for (size_t i = 0; i < n; i++) {
        const struct gguf_tensor *t = gguf_tensor_at(model, choices[i].tensor);
        uint64_t bytes = 0;
        gguf_type_bytes(choices[i].type, t->elements, &bytes);
        total += bytes;
        elements += t->elements;
    }
    free(choices);
    return 8 * (double)total / (double)elements;
}

static double base_bits(const struct quant_mix *mix)
{
    const struct gguf_type_info *info = gguf_type_find(mix->base);
    return 8.0 * info->block_bytes / info->block_elements;
}

/* COPY has no type of its own. */
static bool is_listed(const struct quant_mix *mix)
{
    return mix->can_encode && mix->base != QUANT_TYPE_NONE;
}

static void list_text(const struct gguf *model)
{
    struct table *table = table_new("lrrl");
    table_cell(table, "type");
    table_cell(table, "base");
    table_cell(table, "8B model");
    table_cell(table, "what it is");
    for (size_t i = 0; quant_mix_at(i); i++) {
        const struct quant_mix *mix = quant_mix_at(i);
        if (!is_listed(mix))
            continue;
        table_cell(table, mix->name);
        table_cellf(table, "%.2f", base_bits(mix));
        table_cellf(table, "%.2f", bits_per_weight(model, mix));
        if (mix->alias)
            table_cellf(table, "%s (also %s)", mix->summary, mix->alias);
        else
            table_cell(table, mix->summary);
    }
    table_print(table, stdout, 0, true);
    table_free(table);
    printf("\nBits per weight: of the base type, and of the whole for a model in the shape of\n"
           "Llama 3 8B. COPY changes no type: for new metadata or shards.\n");
}

static void list_json(const struct gguf *model)
{
    cJSON *root = json_array();
    for (size_t i = 0; quant_mix_at(i); i++) {
        const struct quant_mix *mix = quant_mix_at(i);
        if (!is_listed(mix))
            continue;
        cJSON *item = json_add_object(root, NULL);
        json_text(item, "type", mix->name);
        if (mix->alias)
            json_text(item, "alias", mix->alias);
        json_u64(item, "file_type", mix->file_type);
        json_f64(item, "base_bits_per_weight", base_bits(mix));
        json_f64(item, "bits_per_weight_8b", bits_per_weight(model, mix));
        json_text(item, "summary", mix->summary);
    }
    json_print(root);
}

/* Letters that two names have in common from the start, case ignored. */
static size_t common_start(const char *a, const char *b)
{
    size_t n = 0;
    while (a[n] && b[n] && tolower((unsigned char)a[n]) == tolower((unsigned char)b[n]))
        n++;
    return n;
}

void similar_mixes(char *out, size_t size, const char *name)
{
    size_t longest = 2, used = 0; /* one letter is no likeness */
    for (size_t i = 0; quant_mix_at(i); i++) {
        size_t n = is_listed(quant_mix_at(i)) ? common_start(name, quant_mix_at(i)->name) : 0;
        longest = n > longest ? n : longest;
    }
    out[0] = '\0';
    for (size_t i = 0; quant_mix_at(i) && used < size; i++) {
        const struct quant_mix *mix = quant_mix_at(i);
        if (is_listed(mix) && common_start(name, mix->name) >= longest)
            used +=
                (size_t)snprintf(out + used, size - used, "%s%s", used ? ", " : "", mix->name);
    }
}

void report_mixes(bool json)
{
    struct header *header = make_header();
    struct gguf *model = header_open(header);
    if (!model)
        cli_die_memory();
    if (json)
        list_json(model);
    else
        list_text(model);
    gguf_close(model);
    header_free(header);
}
