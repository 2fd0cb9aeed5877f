/* The options of gguf-size, from the command line to a request. */
#include "tools/gguf-size/size.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum option_id {
    OPT_GPU = 1,
    OPT_RAM,
    OPT_CPU,
    OPT_CPU_BANDWIDTH,
    OPT_MEASURE,
    OPT_HARDWARE,
    OPT_DEVICES,
    OPT_CTX,
    OPT_PARALLEL,
    OPT_KV_TYPE,
    OPT_FLASH,
    OPT_UBATCH,
    OPT_NGL,
    OPT_SPLIT,
    OPT_CPU_MOE,
    OPT_MMAP,
    OPT_NO_MMAP,
    OPT_SWA_FULL,
    OPT_ENGINE,
    OPT_MMPROJ,
    OPT_TYPE,
    OPT_QUANTS,
    OPT_PARAMS,
    OPT_LAYERS,
    OPT_HEADS,
    OPT_KV_HEADS,
    OPT_EMBD,
    OPT_FF,
    OPT_VOCAB,
    OPT_HEAD_LENGTH,
    OPT_EXPERTS,
    OPT_EXPERTS_USED,
    OPT_TRAINED_CTX,
    OPT_TABLE,
    OPT_TRAIN,
    OPT_RANK,
    OPT_BATCH,
    OPT_SEQ,
    OPT_OPTIMIZER,
    OPT_CHECKPOINTING,
    OPT_ZERO,
    OPT_GPUS,
    OPT_REPORT,
    OPT_FORCE,
    OPT_JSON
};

static const struct cli_option options[] = {
    {OPT_QUANTS, 0, "quants", NULL, "what every quantization would take, and which to choose",
     true},
    {OPT_CTX, 'c', "ctx", "TOKENS", "context, all sequences together (8192)", true},
    {OPT_GPU, 0, "gpu", "NAME", "a GPU of the table, or none (repeatable; those found here)",
     true},
    {OPT_RAM, 0, "ram", "SIZE", "RAM, such as 32G (what is found here)", true},
    {OPT_CPU, 0, "cpu-name", "NAME", "a CPU or kind of RAM of the table", false},
    {OPT_CPU_BANDWIDTH, 0, "cpu-bandwidth", "GB/S", "bandwidth of the RAM, such as 89", false},
    {OPT_MEASURE, 0, "measure", NULL, "measure the bandwidth of the RAM: half a second", false},
    {OPT_HARDWARE, 0, "hardware", "FILE", "more devices, in the form of hardware.csv", false},
    {OPT_DEVICES, 0, "devices", NULL, "list the devices of the table", false},
    {OPT_PARALLEL, 0, "parallel", "N", "sequences at once, which share the context (1)", false},
    {OPT_KV_TYPE, 0, "kv-type", "TYPE",
     "type of the KV cache: f32, f16, bf16, q8_0, q5_1, q5_0, q4_1, q4_0, iq4_nl, or K,V (f16)",
     true},
    {OPT_FLASH, 0, "flash-attn", "WHEN", "on, off or auto (auto: on where the engine has it)",
     false},
    {OPT_UBATCH, 0, "ubatch", "N", "tokens that are computed at once (512)", false},
    {OPT_NGL, 0, "ngl", "N", "layers on the GPUs (as many as fit)", true},
    {OPT_SPLIT, 0, "tensor-split", "A,B", "shares of the GPUs (by memory)", false},
    {OPT_CPU_MOE, 0, "cpu-moe", NULL, "leave the experts in RAM", false},
    {OPT_MMAP, 0, "mmap", NULL, "map the file into memory (the default)", false},
    {OPT_NO_MMAP, 0, "no-mmap", NULL, "read the file into memory", false},
    {OPT_SWA_FULL, 0, "swa-full", NULL, "whole context for layers with a sliding window",
     false},
    {OPT_ENGINE, 0, "engine", "NAME", "llama.cpp of an era: 2025-02, A, B or C, or ik (C)",
     false},
    {OPT_MMPROJ, 0, "mmproj", "FILE", "multimodal projector to load as well", false},
    {OPT_TYPE, 0, "type", "TYPE", "the model as gguf-quant would make it, such as Q4_K_M",
     false},
    {OPT_PARAMS, 0, "params", "COUNT", "without a file: parameters, such as 7B", true},
    {OPT_LAYERS, 0, "layers", "N", "without a file: layers", false},
    {OPT_EMBD, 0, "embd", "N", "without a file: width of the embedding", false},
    {OPT_HEADS, 0, "heads", "N", "without a file: query heads", false},
    {OPT_KV_HEADS, 0, "kv-heads", "N", "without a file: key and value heads", false},
    {OPT_HEAD_LENGTH, 0, "head-length", "N", "without a file: elements of a head", false},
    {OPT_FF, 0, "ff", "N", "without a file: width of the feed-forward part", false},
    {OPT_VOCAB, 0, "vocab", "N", "without a file: tokens of the vocabulary", false},
    {OPT_EXPERTS, 0, "experts", "N", "without a file: experts of a layer", false},
    {OPT_EXPERTS_USED, 0, "experts-used", "N", "without a file: experts used for a token",
     false},
    {OPT_TRAINED_CTX, 0, "trained-ctx", "N", "without a file: context it was trained for",
     false},
    {OPT_TABLE, 0, "table", NULL,
     "with --params 7B,14B: sizes of all types, and the RAM that "
     "fits",
     false},
    {OPT_TRAIN, 0, "train", "METHOD", "memory for fine-tuning: full, lora or qlora", false},
    {OPT_RANK, 0, "rank", "N", "--train: rank of the adapters (16)", false},
    {OPT_BATCH, 0, "batch", "N", "--train: sequences at once on each GPU (1)", false},
    {OPT_SEQ, 0, "seq", "N", "--train: tokens of a sequence (2048)", false},
    {OPT_OPTIMIZER, 0, "optimizer", "NAME", "--train: adamw or adamw8bit (adamw)", false},
    {OPT_CHECKPOINTING, 0, "checkpointing", NULL, "--train: recompute activations", false},
    {OPT_ZERO, 0, "zero", "STAGE", "--train: ZeRO stage, 0 to 3 (0)", false},
    {OPT_GPUS, 0, "gpus", "N", "--train: GPUs that share the work (as many as named)", false},
    {OPT_REPORT, 0, "report", "FILE", "write charts into one HTML file", false},
    {OPT_FORCE, 'f', "force", NULL, "replace a report that exists", false},
    {OPT_JSON, 0, "json", NULL, "print the answer as JSON", true},
    {0},
};

static const char *const usage[] = {
    "[options] MODEL.gguf",
    "[options] https://HOST/MODEL.gguf | hf:OWNER/REPO/MODEL.gguf",
    "[options] --params 7B [--layers 32 --heads 32 --kv-heads 8 --embd 4096 ...]",
    "--params 7B,14B,32B --table",
    "--devices",
    NULL};

static const char *const description[] = {
    "Says whether a model runs on a machine, with how much memory on each device, with which "
    "context and how fast, before it is loaded or even downloaded: of a file only the header "
    "is "
    "read, and of a remote one only as many bytes as that takes.",
    "The weights are those of the file, the sizes of quantizations those that gguf-quant would "
    "write, to the byte. KV cache and recurrent state follow the engine exactly; compute "
    "buffers and speeds come with a range.",
    "Without --gpu and --ram the machine is this one. --ram counts in GiB, and 2 GiB of "
    "it "
    "are left for the system. Exit code 1: it does not fit.",
    NULL};

static const char *const examples[] = {
    "gguf-size model-Q4_K_M.gguf",
    "does it run here, and how fast?",
    "gguf-size --gpu 'RTX 4060 Ti 16GB' --ram 32G --cpu-bandwidth 89 model.gguf",
    "and on that machine?",
    "gguf-size --quants --ctx 32768 --kv-type q8_0 model-f16.gguf",
    "which quantization is the best that fits?",
    "gguf-size hf:ggml-org/gemma-3-4b-it-GGUF/gemma-3-4b-it-Q4_K_M.gguf",
    "before the download",
    "gguf-size --params 7B,14B,32B,65B,110B --table",
    "sizes without a file",
    "gguf-size --params 8B --train qlora --rank 16 --seq 2048",
    "memory for fine-tuning",
    NULL};

const struct cli_program size_program = {
    .name = "gguf-size",
    .summary = "tell whether a model fits a machine, and how fast it is",
    .usage = usage,
    .options = options,
    .description = description,
    .examples = examples,
};

/* ---- Values ---------------------------------------------------------------------------- */

/* RAM is sold in powers of 1024: 32G, 32GB and 32GiB are the same. */
static uint64_t parse_ram(const char *value)
{
    static const struct {
        const char *suffix;
        uint64_t unit;
    } units[] = {
        {"", 1},     {"M", MIB},   {"MB", MIB},       {"MiB", MIB},       {"G", GIB},
        {"GB", GIB}, {"GiB", GIB}, {"T", 1024 * GIB}, {"TB", 1024 * GIB}, {"TiB", 1024 * GIB}};
    char *end;
    bool digits = value[0] >= '0' && value[0] <= '9';
    double n = strtod(value, &end);
    for (size_t i = 0; digits && i < sizeof units / sizeof units[0]; i++) {
        double bytes = n * (double)units[i].unit;
        if (strcasecmp(end, units[i].suffix) == 0 && bytes >= (double)MIB && bytes <= 1e18)
            return (uint64_t)bytes;
    }
    cli_die("--ram: expected a size like 32G, found \"%s\"", value);
}

static enum gguf_type parse_kv_type(const char *name, size_t size)
{
    char text[16];
    snprintf(text, sizeof text, "%.*s", (int)(size < sizeof text ? size : sizeof text - 1),
             name);
    const struct gguf_type_info *info = size < sizeof text ? gguf_type_by_name(text) : NULL;
    if (!info || !model_memory_kv_type(info->id))
        cli_die("--kv-type: expected f32, f16, bf16, q8_0, q5_1, q5_0, q4_1, q4_0 or iq4_nl, "
                "found \"%.*s\"",
                (int)size, name);
    return (enum gguf_type)info->id;
}

static void take_kv_types(struct request *r, const char *value)
{
    size_t first = strcspn(value, ",");
    r->run.type_k = r->run.type_v = parse_kv_type(value, first);
    if (value[first])
        r->run.type_v = parse_kv_type(value + first + 1, strlen(value + first + 1));
}

/* One of several words; its number. */
static int parse_word(const char *option, const char *value, const char *const *words)
{
    char list[128] = "";
    for (int i = 0; words[i]; i++) {
        size_t used = strlen(list);
        if (strcasecmp(value, words[i]) == 0)
            return i;
        snprintf(list + used, sizeof list - used, "%s%s", i ? ", " : "", words[i]);
    }
    cli_die("--%s: expected one of %s, found \"%s\"", option, list, value);
}

static const struct memory_engine *parse_engine(const char *value)
{
    const struct memory_engine *engine = model_memory_engine_find(value);
    char list[512] = "";
    for (size_t i = 0; model_memory_engine_at(i) && !engine; i++) {
        size_t used = strlen(list);
        snprintf(list + used, sizeof list - used, "%s%s (%s)", i ? "; " : "",
                 model_memory_engine_at(i)->name, model_memory_engine_at(i)->summary);
    }
    if (!engine)
        cli_die("--engine: expected one of %s; found \"%s\"", list, value);
    return engine;
}

static const struct quant_mix *parse_mix(const char *value)
{
    const struct quant_mix *mix = quant_mix_by_name(value);
    if (!mix || mix->base == QUANT_TYPE_NONE)
        cli_die("--type: there is no type \"%s\"; see gguf-quant --list", value);
    return mix;
}

static void take_gpu(struct request *r, const char *value)
{
    if (strcasecmp(value, "none") == 0) {
        r->no_gpu = true;
        return;
    }
    if (r->n_gpus == MAX_GPUS)
        cli_die("--gpu: at most %d GPUs", MAX_GPUS);
    r->gpus[r->n_gpus++] = value;
}

static void take_split(struct request *r, const char *value)
{
    char text[32];
    r->n_split = 0;
    for (const char *p = value; p;) {
        size_t size = strcspn(p, ",/");
        if (r->n_split == MAX_GPUS)
            cli_die("--tensor-split: at most %d shares", MAX_GPUS);
        snprintf(text, sizeof text, "%.*s", (int)(size < 31 ? size : 31), p);
        r->split[r->n_split++] = cli_parse_number("tensor-split", text, 0, 1e9, "");
        p = p[size] ? p + size + 1 : NULL;
    }
}

/* ---- Taking options ----------------------------------------------------------------- */

/* Whole numbers and where they go. */
static bool take_count(struct request *r, int id, const char *value)
{
    const struct {
        int id;
        const char *name;
        uint32_t *to;
        uint32_t most, least;
    } rows[] = {
        {OPT_PARALLEL, "parallel", &r->run.sequences, 1024, 1},
        {OPT_UBATCH, "ubatch", &r->run.batch, 1 << 20, 1},
        {OPT_NGL, "ngl", &r->gpu_layers, 1000000, 0},
        {OPT_LAYERS, "layers", &r->shape.layers, MODEL_MAX_LAYERS, 1},
        {OPT_HEADS, "heads", &r->shape.heads, 1 << 16, 1},
        {OPT_KV_HEADS, "kv-heads", &r->shape.kv_heads, 1 << 16, 1},
        {OPT_EMBD, "embd", &r->shape.embedding, 1 << 20, 1},
        {OPT_FF, "ff", &r->shape.feed_forward, 1 << 24, 1},
        {OPT_VOCAB, "vocab", &r->shape.vocab, 1 << 24, 1},
        {OPT_HEAD_LENGTH, "head-length", &r->shape.head_length, 1 << 16, 1},
        {OPT_EXPERTS, "experts", &r->shape.experts, 4096, 1},
        {OPT_EXPERTS_USED, "experts-used", &r->shape.experts_used, 4096, 1},
        {OPT_TRAINED_CTX, "trained-ctx", &r->shape.context, 1u << 30, 1},
        {OPT_RANK, "rank", &r->training.rank, 65536, 1},
        {OPT_BATCH, "batch", &r->training.batch, 1 << 20, 1},
        {OPT_SEQ, "seq", &r->training.sequence, 1u << 30, 1},
        {OPT_ZERO, "zero", &r->training.zero, 3, 0},
        {OPT_GPUS, "gpus", &r->training.gpus, 1 << 20, 1},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (rows[i].id != id)
            continue;
        *rows[i].to = (uint32_t)cli_parse_u64(rows[i].name, value, rows[i].least, rows[i].most);
        r->layers_given = r->layers_given || id == OPT_NGL;
        return true;
    }
    return false;
}

static bool take_flag(struct request *r, int id)
{
    const struct {
        int id;
        bool *to;
        bool value;
    } rows[] = {
        {OPT_MEASURE, &r->measure, true},
        {OPT_DEVICES, &r->devices, true},
        {OPT_CPU_MOE, &r->cpu_moe, true},
        {OPT_MMAP, &r->no_mmap, false},
        {OPT_NO_MMAP, &r->no_mmap, true},
        {OPT_SWA_FULL, &r->run.full_window, true},
        {OPT_QUANTS, &r->quants, true},
        {OPT_TABLE, &r->table, true},
        {OPT_CHECKPOINTING, &r->training.checkpointing, true},
        {OPT_FORCE, &r->force, true},
        {OPT_JSON, &r->json, true},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (rows[i].id == id) {
            *rows[i].to = rows[i].value;
            return true;
        }
    }
    return false;
}

static bool take_text(struct request *r, int id, const char *value)
{
    const struct {
        int id;
        const char **to;
    } rows[] = {
        {OPT_CPU, &r->cpu},       {OPT_HARDWARE, &r->hardware}, {OPT_MMPROJ, &r->projector},
        {OPT_REPORT, &r->report}, {OPT_PARAMS, &r->params},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (rows[i].id == id) {
            *rows[i].to = value;
            return true;
        }
    }
    return false;
}

static void take_training(struct request *r, int id, const char *value)
{
    static const char *const methods[] = {"full", "lora", "qlora", NULL};
    static const char *const optimizers[] = {"adamw", "adamw8bit", NULL};
    if (id == OPT_TRAIN) {
        r->train = true;
        r->training.method = (enum training_method)parse_word("train", value, methods);
    } else {
        r->training.optimizer =
            (enum training_optimizer)parse_word("optimizer", value, optimizers);
    }
}

static void take_other(struct request *r, int id, const char *value)
{
    static const char *const when[] = {"auto", "on", "off", NULL};
    switch (id) {
    case OPT_GPU:
        take_gpu(r, value);
        break;
    case OPT_RAM:
        r->ram = parse_ram(value);
        break;
    case OPT_CPU_BANDWIDTH:
        r->cpu_bandwidth = 1e9 * cli_parse_number("cpu-bandwidth", value, 1e-3, 1e6, "");
        break;
    case OPT_CTX:
        r->run.context = cli_parse_u64("ctx", value, 1, (uint64_t)1 << 31);
        break;
    case OPT_KV_TYPE:
        take_kv_types(r, value);
        break;
    case OPT_FLASH:
        r->flash = (enum flash)parse_word("flash-attn", value, when);
        break;
    case OPT_SPLIT:
        take_split(r, value);
        break;
    case OPT_ENGINE:
        r->run.engine = parse_engine(value);
        break;
    case OPT_TYPE:
        r->mix = parse_mix(value);
        break;
    default:
        take_training(r, id, value);
    }
}

/* ---- What excludes what ------------------------------------------------------------- */

static bool has_shape(const struct request *r)
{
    const struct shape *s = &r->shape;
    return r->params || s->layers || s->heads || s->kv_heads || s->embedding ||
           s->feed_forward || s->vocab || s->head_length || s->experts || s->experts_used;
}

static bool is_quantized(uint32_t type)
{
    return gguf_type_find(type)->block_elements > 1;
}

static void settle_flash(struct request *r)
{
    /* engines of early 2025 had it off unless asked */
    bool by_default = r->run.engine != model_memory_engine_at(0);
    r->run.flash_attention = r->flash == FLASH_ON || (r->flash == FLASH_AUTO && by_default);
    if (is_quantized(r->run.type_v) && !r->run.flash_attention) {
        if (r->flash == FLASH_OFF)
            cli_die("--kv-type: a quantized V cache needs flash attention; leave out "
                    "--flash-attn off, or give two types as in q8_0,f16");
        r->run.flash_attention = true;
    }
}

static void settle(struct request *r)
{
    if (r->no_gpu && r->n_gpus)
        cli_die("--gpu none excludes other GPUs");
    if (r->n_split > r->n_gpus && r->n_gpus)
        cli_die("--tensor-split: %zu shares for %zu GPUs", r->n_split, r->n_gpus);
    if (r->ram && !r->n_gpus)
        r->no_gpu = true;
    if (r->input && has_shape(r))
        cli_die("a file and its shape (--params, --layers ...) exclude each other");
    if (!r->input && !has_shape(r) && !r->devices)
        cli_die("expected a model, or --params; see gguf-size --help");
    if (r->table && !r->params)
        cli_die("--table needs --params, such as --params 7B,14B");
    if (r->params && !r->table)
        r->shape.parameters = parse_parameters("params", r->params);
    if (!r->input && !r->mix && !r->train)
        r->mix = quant_mix_by_name("Q4_K_M");
    if (r->training.gpus == 0)
        r->training.gpus = r->n_gpus ? (uint32_t)r->n_gpus : 1;
    settle_flash(r);
}

void request_parse(struct request *request, struct cli *cli)
{
    int n;
    *request =
        (struct request){.run = {.engine = model_memory_engine_newest(),
                                 .sequences = 1,
                                 .batch = 512,
                                 .type_k = GGUF_F16,
                                 .type_v = GGUF_F16},
                         .training = {.rank = 16, .batch = 1, .sequence = 2048, .flash = true}};
    for (int id; (id = cli_next(cli)) != CLI_END;) {
        if (!take_flag(request, id) && !take_count(request, id, cli->value) &&
            !take_text(request, id, cli->value))
            take_other(request, id, cli->value);
    }
    char **arguments = cli_positionals(cli, 0, 1, &n);
    request->input = n ? arguments[0] : NULL;
    settle(request);
}
