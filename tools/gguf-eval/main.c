/* gguf-eval: the options. */
#include "tools/gguf-eval/eval.h"

#include <omp.h>
#include <stdlib.h>
#include <string.h>

enum option_id {
    OPT_FILE = 1,
    OPT_CHUNK,
    OPT_CHUNKS,
    OPT_STRIDE,
    OPT_UNTIL_ERROR,
    OPT_SWEEP,
    OPT_IMATRIX,
    OPT_REPORT,
    OPT_JSON,
    OPT_ACTIVATIONS,
    OPT_TOKENS,
    OPT_LOGITS,
    OPT_TOKENIZE,
    OPT_SPECIALS,
    OPT_PROMPT,
    OPT_LENGTH,
    OPT_TEMPERATURE,
    OPT_SEED,
    OPT_CHOICES,
    OPT_RECALL,
    OPT_THREADS
};

_Static_assert(OPT_THREADS < MAX_OPTIONS, "room for every option");

static const struct cli_option options[] = {
    {OPT_FILE, 'f', "file", "TEXT",
     "the text, UTF-8, packed by gzip or not; - is standard input", true},
    {OPT_CHUNK, 0, "chunk", "N",
     "tokens of a chunk (512, with --recall 2048, or the model's context where that is "
     "shorter)",
     true},
    {OPT_CHUNKS, 0, "chunks", "N", "the first N chunks alone", true},
    {OPT_STRIDE, 0, "stride", "N",
     "windows of a chunk that move by N tokens, each scoring what is new, as Hugging Face does",
     false},
    {OPT_UNTIL_ERROR, 0, "until-error", "P%",
     "stop when the standard error of every perplexity is at most this share of it", false},
    {OPT_SWEEP, 0, "sweep", "TYPE,...",
     "quantize the base in memory to each of these types and evaluate it", true},
    {OPT_IMATRIX, 0, "imatrix", "FILE", "importance of the columns, for --sweep", false},
    {OPT_REPORT, 0, "report", "OUT.html", "write a report with charts, one HTML file", true},
    {OPT_JSON, 0, "json", NULL, "print the result as JSON", true},
    {OPT_ACTIVATIONS, 0, "activations", "f32|q8",
     "inputs of matrix products exact, or rounded as the engines do (q8)", false},
    {OPT_TOKENS, 0, "tokens", "IDS", "a file of token ids instead of a text", false},
    {OPT_LOGITS, 0, "logits", "OUT",
     "write the logits of --tokens: float32, little-endian, [tokens][vocabulary]", false},
    {OPT_TOKENIZE, 0, "tokenize", NULL,
     "print the token ids of the text, and with -v their texts", true},
    {OPT_SPECIALS, 0, "specials", NULL,
     "with --tokenize: add BOS and EOS as the model wants, find special tokens in the text",
     false},
    {OPT_PROMPT, 0, "prompt", "TEXT", "print how each model continues this", true},
    {OPT_LENGTH, 'n', "length", "N", "tokens of a continuation (64)", false},
    {OPT_TEMPERATURE, 0, "temperature", "T",
     "sample the continuation; 0 takes the most likely token (0)", false},
    {OPT_SEED, 0, "seed", "N", "of the sampling (1)", false},
    {OPT_CHOICES, 0, "choices", "FILE",
     "multiple choice by log-likelihood: JSON lines shaped like MMLU or HellaSwag", false},
    {OPT_RECALL, 0, "recall", NULL,
     "hide a fact at several depths of the text and ask for it at the end", false},
    {OPT_THREADS, 't', "threads", "N", "threads (one a core)", true},
    {0},
};

static const char *const usage[] = {"[options] BASE.gguf [OTHER.gguf ...] -f TEXT",
                                    "--sweep TYPE,... [options] BASE.gguf -f TEXT",
                                    "--tokens IDS --logits OUT [options] MODEL.gguf",
                                    "--tokenize MODEL.gguf [-f TEXT]",
                                    "--prompt TEXT [-n N] MODEL.gguf ...",
                                    "--choices FILE.jsonl MODEL.gguf ...",
                                    "--recall MODEL.gguf ... -f TEXT",
                                    NULL};

static const char *const description[] = {
    "Says what a quantization costs. The text runs through all models in one pass; the first "
    "is the base that the others are compared with. For each: perplexity, its ratio to the "
    "base, KL divergence from the base, how often the most likely token is the same, change of "
    "the right token's probability, size and speed. Every \"a ± b\" is a mean and its standard "
    "error.",
    "Perplexity is scored as by llama-perplexity: one newline at the end of the text is "
    "dropped, "
    "the text is cut into chunks, BOS takes the place of the first token of a chunk if the "
    "model "
    "wants BOS, and the second half of each chunk is scored.",
    "The weights are multiplied by activations that are rounded as the engines round them: to "
    "blocks of 8 bits for quantized weights, to F16 or BF16 for weights of that type. "
    "--activations f32 rounds nothing.",
    "--tokenize takes the text as it is, from standard input where no -f is given, and adds no "
    "BOS unless --specials is given.",
    "--choices reads one JSON object a line: {\"question\", \"choices\", \"answer\"}, asked "
    "for the "
    "letter of the answer as in MMLU, or {\"ctx\", \"endings\", \"label\"}, whose endings are "
    "scored as a whole and by byte as in HellaSwag.",
    NULL};

static const char *const examples[] = {
    "gguf-eval model-f16.gguf model-Q4_K_M.gguf -f wiki.test.raw",
    "what did Q4_K_M cost?",
    "gguf-eval model-f16.gguf -f text.txt.gz --sweep Q2_K,Q3_K_M,Q4_K_M --report out.html",
    "which type is worth its size?",
    "gguf-eval --prompt \"To be, or\" -n 32 model-f16.gguf model-Q4_K_M.gguf",
    "look at it",
    NULL};

static const struct cli_program program = {
    .name = "gguf-eval",
    .summary = "measure the quality of GGUF models",
    .usage = usage,
    .options = options,
    .description = description,
    .examples = examples,
};

/* ---- Values --------------------------------------------------------------------- */

static bool take_flag(struct request *r, int id)
{
    bool *const flags[OPT_THREADS + 1] = {
        [OPT_JSON] = &r->json,
        [OPT_TOKENIZE] = &r->tokenize,
        [OPT_SPECIALS] = &r->specials,
        [OPT_RECALL] = &r->recall,
    };
    if (flags[id])
        *flags[id] = true;
    return flags[id] != NULL;
}

static bool take_string(struct request *r, int id, const char *value)
{
    const char **const strings[OPT_THREADS + 1] = {
        [OPT_FILE] = &r->text,     [OPT_SWEEP] = &r->sweep,     [OPT_IMATRIX] = &r->imatrix,
        [OPT_REPORT] = &r->report, [OPT_TOKENS] = &r->tokens,   [OPT_LOGITS] = &r->logits,
        [OPT_PROMPT] = &r->prompt, [OPT_CHOICES] = &r->choices,
    };
    if (strings[id])
        *strings[id] = value;
    return strings[id] != NULL;
}

static void take_number(struct request *r, int id, const char *value)
{
    switch (id) {
    case OPT_CHUNK:
        r->chunk = parse_chunk(value);
        break;
    case OPT_CHUNKS:
        r->chunks = parse_chunks(value);
        break;
    case OPT_STRIDE:
        r->stride = cli_parse_u64("stride", value, 1, 1 << 20);
        break;
    case OPT_UNTIL_ERROR:
        r->until_error = cli_parse_number("until-error", value, 1e-6, 100, "%") / 100;
        break;
    case OPT_LENGTH:
        r->length = cli_parse_u64("length", value, 1, 1 << 20);
        break;
    case OPT_TEMPERATURE:
        r->temperature = cli_parse_number("temperature", value, 0, 100, "");
        break;
    case OPT_SEED:
        r->seed = cli_parse_u64("seed", value, 0, UINT64_MAX);
        break;
    case OPT_THREADS:
        r->threads = (int)cli_parse_u64("threads", value, 1, 1024);
        break;
    case OPT_ACTIVATIONS:
        r->activations = parse_activations(value);
        break;
    default:
        break;
    }
}

/* ---- What is asked for ---------------------------------------------------------- */

/* One thing is done: what it is called, whether it was asked for, and what it needs. */
struct mode {
    const char *option;
    bool asked;
    bool needs_text; /* -f */
    int most_files;
    void (*run)(const struct request *r);
};

/* The report is opened first: a path that cannot be written shows before the work. */
static void run_measure(const struct request *r)
{
    struct subjects subjects;
    struct measurement m;
    struct output output;
    if (r->report)
        output_open(&output, r->report, r);
    subjects_open(&subjects, r);
    measure(&m, &subjects, r);
    if (r->json)
        report_json(&m, &subjects, r);
    else
        report_text(&m, &subjects, r);
    if (r->report) {
        report_html(output.file, &m, &subjects, r);
        output_close(&output);
    }
    measurement_free(&m);
    subjects_close(&subjects);
}

#define MANY_FILES 256

static struct mode find_mode(const struct request *r)
{
    const struct mode modes[] = {
        {"--tokenize", r->tokenize, false, 1, run_tokenize},
        {"--logits", r->logits != NULL, false, 1, run_logits},
        {"--prompt", r->prompt != NULL && !r->tokenize, false, MANY_FILES, run_prompt},
        {"--choices", r->choices != NULL, false, MANY_FILES, run_choices},
        {"--recall", r->recall, true, MANY_FILES, run_recall},
    };
    struct mode mode = {NULL, true, !r->tokens, MANY_FILES, run_measure};
    for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++) {
        if (modes[i].asked && mode.option)
            cli_die("%s and %s exclude each other", mode.option, modes[i].option);
        if (modes[i].asked)
            mode = modes[i];
    }
    return mode;
}

/* Options that say nothing but with --prompt, and those that say how a text is measured. */
static const struct scope {
    enum option_id id;
    const char *option;
    bool of_prompt;
} scopes[] = {
    {OPT_LENGTH, "-n", true},
    {OPT_TEMPERATURE, "--temperature", true},
    {OPT_SEED, "--seed", true},
    {OPT_STRIDE, "--stride", false},
    {OPT_UNTIL_ERROR, "--until-error", false},
    {OPT_SWEEP, "--sweep", false},
    {OPT_REPORT, "--report", false},
};

static void check_scopes(const struct request *r, const struct mode *mode)
{
    for (size_t i = 0; i < sizeof scopes / sizeof scopes[0]; i++) {
        const struct scope *s = &scopes[i];
        if (!r->given[s->id])
            continue;
        if (s->of_prompt && !r->prompt)
            cli_die("%s needs --prompt", s->option);
        if (!s->of_prompt && mode->option)
            cli_die("%s and %s exclude each other", mode->option, s->option);
    }
}

static void check_request(const struct request *r, const struct mode *mode)
{
    if (mode->needs_text && !r->text)
        cli_die("no text: give one with -f%s", mode->option ? "" : ", or ids with --tokens");
    if (r->prompt)
        text_check((struct text){(char *)(uintptr_t)r->prompt, strlen(r->prompt)}, "--prompt");
    if (r->logits && !r->tokens)
        cli_die("--logits needs the ids of a text: --tokens");
    if (r->text && r->tokens)
        cli_die("-f and --tokens exclude each other");
    if (r->imatrix && !r->sweep)
        cli_die("--imatrix needs --sweep");
    check_scopes(r, mode);
    if (r->specials && !r->tokenize)
        cli_die("--specials needs --tokenize");
}

static void take_options(struct cli *cli, struct request *r)
{
    for (int id; (id = cli_next(cli)) != CLI_END;) {
        r->given[id] = true;
        if (!take_flag(r, id) && !take_string(r, id, cli->value))
            take_number(r, id, cli->value);
    }
    r->quiet = cli->verbosity < 0;
    r->verbose = cli->verbosity > 0;
    r->no_color = cli->no_color;
    r->cpu = cli->cpu;
    if (r->threads)
        omp_set_num_threads(r->threads);
}

int main(int argc, char **argv)
{
    struct cli cli;
    struct request r = {.length = 64, .seed = 1};
    cli_start(&cli, &program, argc, argv);
    take_options(&cli, &r);
    struct mode mode = find_mode(&r);
    r.files = cli_positionals(&cli, 1, mode.most_files, &r.n_files);
    check_request(&r, &mode);
    mode.run(&r);
    return cli_finish(&cli, CLI_OK);
}
