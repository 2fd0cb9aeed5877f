/* gguf-quant: the options. */
#include "tools/common/text.h"
#include "tools/gguf-quant/job.h"

#include <stdlib.h>
#include <string.h>

enum option_id {
    OPT_LIST = 1,
    OPT_IMATRIX,
    OPT_CALIBRATE,
    OPT_CHUNK,
    OPT_CHUNKS,
    OPT_INCLUDE,
    OPT_EXCLUDE,
    OPT_PRESET,
    OPT_PURE,
    OPT_TENSOR_TYPE,
    OPT_OUTPUT_TYPE,
    OPT_EMBEDDING_TYPE,
    OPT_LEAVE_OUTPUT,
    OPT_REQUANTIZE,
    OPT_OVERRIDE_KV,
    OPT_KEEP_SPLIT,
    OPT_SPLIT_SIZE,
    OPT_DRY_RUN,
    OPT_NO_VERIFY,
    OPT_FORCE,
    OPT_JSON,
    OPT_THREADS
};

static const struct cli_option options[] = {
    {OPT_LIST, 0, "list", NULL, "list the types with their bits per weight", true},
    {OPT_IMATRIX, 0, "imatrix", "FILE",
     "importance of the columns, from gguf-imatrix or llama-imatrix (GGUF or .dat)", true},
    {OPT_CALIBRATE, 0, "calibrate", "TEXT",
     "compute the importance from this text first, as gguf-imatrix does", true},
    {OPT_CHUNK, 0, "chunk", "N",
     "with --calibrate: tokens of a chunk (512, or the model's context where that is shorter)",
     false},
    {OPT_CHUNKS, 0, "chunks", "N", "with --calibrate: the first N chunks alone", false},
    {OPT_INCLUDE, 0, "include-weights", "TEXT",
     "use the importance of tensors whose name contains this (repeatable)", false},
    {OPT_EXCLUDE, 0, "exclude-weights", "TEXT",
     "do not use the importance of tensors whose name contains this (repeatable)", false},
    {OPT_PRESET, 0, "preset", "NAME",
     "fast, default or best: the time spent on a smaller error", true},
    {OPT_PURE, 0, "pure", NULL, "one type for all tensors that are quantized, no mix", false},
    {OPT_TENSOR_TYPE, 0, "tensor-type", "REGEX=TYPE",
     "type of tensors whose name matches; the first match wins (repeatable)", true},
    {OPT_OUTPUT_TYPE, 0, "output-tensor-type", "TYPE", "type of output.weight", false},
    {OPT_EMBEDDING_TYPE, 0, "token-embedding-type", "TYPE", "type of token_embd.weight", false},
    {OPT_LEAVE_OUTPUT, 0, "leave-output-tensor", NULL, "leave output.weight as it is", false},
    {OPT_REQUANTIZE, 0, "allow-requantize", NULL, "take tensors that are quantized already",
     false},
    {OPT_OVERRIDE_KV, 0, "override-kv", "KEY=TYPE:VALUE",
     "set metadata; TYPE is int, float, bool, str, or u8 to f64 (repeatable)", false},
    {OPT_KEEP_SPLIT, 0, "keep-split", NULL, "as many shards as the input, tensors as there",
     false},
    {OPT_SPLIT_SIZE, 0, "split-max-size", "SIZE",
     "shards of at most this many bytes of tensors, such as 500M or 2G", false},
    {OPT_DRY_RUN, 0, "dry-run", NULL, "show types and the exact size, write nothing", true},
    {OPT_NO_VERIFY, 0, "no-verify", NULL, "do not read the output back", false},
    {OPT_FORCE, 'f', "force", NULL, "replace an output that exists", true},
    {OPT_JSON, 0, "json", NULL, "print the report as JSON", false},
    {OPT_THREADS, 't', "threads", "N", "threads (one a core)", true},
    {0},
};

static const char *const usage[] = {"[options] IN.gguf OUT.gguf TYPE",
                                    "--dry-run [options] IN.gguf [OUT.gguf] TYPE", "--list",
                                    NULL};

static const char *const description[] = {
    "Quantizes the weights of a GGUF model: F32, F16 and BF16 become the block format TYPE, or "
    "the formats that the mix of that name gives to each tensor. Metadata is carried over. The "
    "input may be any shard of a set.",
    "The output is complete or absent: it is written to a hidden file beside it, read back, "
    "and renamed. Its bytes do not depend on the number of threads nor on the processor.",
    "A tensor whose rows do not divide into blocks of the wanted type gets another one; these "
    "are listed at the end.",
    NULL};

static const char *const examples[] = {
    "gguf-quant model-f16.gguf model-Q4_K_M.gguf Q4_K_M",
    "the usual mix of about 4.9 bits per weight",
    "gguf-quant --dry-run model-f16.gguf Q5_K_M",
    "how large would it be?",
    "gguf-quant --imatrix imatrix.gguf model-f16.gguf out.gguf Q2_K",
    "with the importance of each column",
    "gguf-quant --calibrate calibration.txt model-f16.gguf out.gguf Q2_K",
    "the same in one step, from a text",
    "gguf-quant --tensor-type 'ffn_down=Q6_K' model-f16.gguf out.gguf Q4_K_M",
    "more bits for some tensors",
    NULL};

static const struct cli_program program = {
    .name = "gguf-quant",
    .summary = "quantize GGUF model files",
    .usage = usage,
    .options = options,
    .description = description,
    .examples = examples,
};

static void words_add(struct words *words, const char *word)
{
    words->word = cli_grow(words->word, words->n + 1, sizeof *words->word);
    words->word[words->n++] = word;
}

/* A type that tensors can be given. */
static uint32_t parse_type(const char *option, const char *name)
{
    const struct gguf_type_info *info = gguf_type_by_name(name);
    const struct quant_format *format = info ? quant_format_find(info->id) : NULL;
    const struct quant_mix *mix = quant_mix_by_name(name);
    if (info && !(format && format->encode))
        cli_die("--%s: %s can be read but not made here", option, info->name);
    if (!info && mix && mix->can_encode && mix->base != QUANT_TYPE_NONE)
        cli_die("--%s: %s is a mix for a whole model; the type of a tensor is %s", option,
                mix->name, gguf_type_find(mix->base)->name);
    if (!info)
        cli_die("--%s: there is no type \"%s\"; see gguf-quant --list", option, name);
    return info->id;
}

/* The last '=' parts the pattern from the type. */
static void add_override(struct request *r, const char *argument)
{
    const char *equals = strrchr(argument, '=');
    if (!equals || equals == argument)
        cli_die("--tensor-type: expected REGEX=TYPE, found \"%s\"", argument);
    size_t n = (size_t)(equals - argument);
    char *pattern = cli_alloc(n + 1, 1);
    memcpy(pattern, argument, n);
    r->overrides = cli_grow(r->overrides, r->n_overrides + 1, sizeof *r->overrides);
    r->overrides[r->n_overrides++] =
        (struct quant_override){pattern, parse_type("tensor-type", equals + 1)};
}

static bool take_flag(struct request *r, int id)
{
    bool *const flags[] = {
        [OPT_PURE] = &r->recipe.pure,
        [OPT_LEAVE_OUTPUT] = &r->recipe.leave_output,
        [OPT_REQUANTIZE] = &r->requantize,
        [OPT_KEEP_SPLIT] = &r->keep_split,
        [OPT_DRY_RUN] = &r->dry_run,
        [OPT_FORCE] = &r->force,
        [OPT_JSON] = &r->json,
        [OPT_THREADS] = NULL,
    };
    if (!flags[id])
        return false;
    *flags[id] = true;
    return true;
}

static void take_value(struct request *r, int id, const char *value)
{
    switch (id) {
    case OPT_IMATRIX:
        r->imatrix = value;
        break;
    case OPT_CALIBRATE:
        r->calibrate = value;
        break;
    case OPT_CHUNK:
        r->chunk = parse_chunk(value);
        break;
    case OPT_CHUNKS:
        r->chunks = parse_chunks(value);
        break;
    case OPT_INCLUDE:
        words_add(&r->include, value);
        break;
    case OPT_EXCLUDE:
        words_add(&r->exclude, value);
        break;
    case OPT_PRESET:
        if (!quant_preset_find(value, &r->preset))
            cli_die("--preset: expected fast, default or best, found \"%s\"", value);
        break;
    case OPT_TENSOR_TYPE:
        add_override(r, value);
        break;
    case OPT_OUTPUT_TYPE:
        r->recipe.output_type = parse_type("output-tensor-type", value);
        break;
    case OPT_EMBEDDING_TYPE:
        r->recipe.embedding_type = parse_type("token-embedding-type", value);
        break;
    case OPT_OVERRIDE_KV:
        words_add(&r->metadata, value);
        break;
    case OPT_SPLIT_SIZE:
        r->shard_bytes = cli_parse_bytes("split-max-size", value);
        break;
    case OPT_THREADS:
        r->threads = (int)cli_parse_u64("threads", value, 1, 1024);
        break;
    case OPT_NO_VERIFY:
        r->verify = false;
        break;
    default:
        break;
    }
}

/* True if the list of types was asked for. */
static bool take_options(struct cli *cli, struct request *r)
{
    bool list = false;
    for (int id; (id = cli_next(cli)) != CLI_END;) {
        if (id == OPT_LIST)
            list = true;
        else if (!take_flag(r, id))
            take_value(r, id, cli->value);
    }
    r->quiet = cli->verbosity < 0;
    r->verbose = cli->verbosity > 0;
    r->cpu = cli->cpu;
    if (r->include.n && r->exclude.n)
        cli_die("--include-weights and --exclude-weights exclude each other");
    if (r->imatrix && r->calibrate)
        cli_die("--imatrix and --calibrate exclude each other");
    if (!r->calibrate && (r->chunk || r->chunks))
        cli_die("--chunk and --chunks need --calibrate");
    if (!r->imatrix && !r->calibrate && (r->include.n || r->exclude.n))
        cli_die("--include-weights and --exclude-weights need --imatrix or --calibrate");
    if (r->keep_split && r->shard_bytes)
        cli_die("--keep-split and --split-max-size exclude each other");
    return list;
}

static const struct quant_mix *find_mix(const char *name)
{
    const struct quant_mix *mix = quant_mix_by_name(name);
    char similar[256];
    similar_mixes(similar, sizeof similar, name);
    if (!mix && *similar)
        cli_die("there is no type \"%s\"; similar: %s; see gguf-quant --list", name, similar);
    if (!mix)
        cli_die("there is no type \"%s\"; see gguf-quant --list", name);
    if (!mix->can_encode)
        cli_die("%s can be read but not made here; see gguf-quant --list", mix->name);
    return mix;
}

static void take_positionals(struct cli *cli, struct request *r)
{
    int n;
    char **arguments = cli_positionals(cli, r->dry_run ? 2 : 3, 3, &n);
    r->input = arguments[0];
    r->output = n == 3 ? arguments[1] : NULL;
    r->recipe.mix = find_mix(arguments[n - 1]);
}

static void request_free(struct request *r)
{
    for (size_t i = 0; i < r->n_overrides; i++)
        free((void *)(uintptr_t)r->overrides[i].pattern);
    free(r->overrides);
    free(r->include.word);
    free(r->exclude.word);
    free(r->metadata.word);
}

static int quantize(struct cli *cli, struct request *r)
{
    struct job job;
    take_positionals(cli, r);
    job_plan(&job, r);
    int code = r->dry_run ? CLI_OK : job_run(&job);
    if (code == CLI_OK) {
        if (r->json)
            report_json(&job);
        else if (!r->quiet)
            report_text(&job);
        report_fallbacks(&job);
    }
    job_free(&job);
    return code;
}

int main(int argc, char **argv)
{
    struct cli cli;
    struct request r = {
        .verify = true,
        .recipe = {.output_type = QUANT_TYPE_NONE, .embedding_type = QUANT_TYPE_NONE}};
    int code = CLI_OK;
    cli_start(&cli, &program, argc, argv);
    if (take_options(&cli, &r)) {
        int n;
        cli_positionals(&cli, 0, 0, &n);
        report_mixes(r.json);
    } else {
        code = quantize(&cli, &r);
    }
    request_free(&r);
    return cli_finish(&cli, code);
}
