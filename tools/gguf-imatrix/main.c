/* gguf-imatrix: the options. */
#include "tools/gguf-imatrix/imatrix.h"

#include <stdlib.h>
#include <string.h>

enum option_id {
    OPT_FILE = 1,
    OPT_OUTPUT,
    OPT_FORMAT,
    OPT_IN,
    OPT_CHUNK,
    OPT_CHUNKS,
    OPT_SAVE_EVERY,
    OPT_RESUME,
    OPT_PROCESS_OUTPUT,
    OPT_ACTIVATIONS,
    OPT_STATISTICS,
    OPT_JSON,
    OPT_THREADS
};

static const struct cli_option options[] = {
    {OPT_FILE, 'f', "file", "TEXT",
     "the text, UTF-8, packed by gzip or not; - is standard input", true},
    {OPT_OUTPUT, 'o', "output", "FILE", "where to write (imatrix.gguf)", true},
    {OPT_FORMAT, 0, "output-format", "gguf|dat",
     "the form of the output (dat, the legacy one, for a name that ends in .dat)", false},
    {OPT_IN, 0, "in", "FILE", "add what this file holds, either form (repeatable)", true},
    {OPT_CHUNK, 0, "chunk", "N",
     "tokens of a chunk (512, or the model's context where that is shorter)", true},
    {OPT_CHUNKS, 0, "chunks", "N", "the first N chunks alone", true},
    {OPT_SAVE_EVERY, 0, "save-every", "N",
     "write the output after every N chunks; 0: at the end alone (10)", false},
    {OPT_RESUME, 0, "resume", NULL, "go on behind the chunks that the output holds already",
     true},
    {OPT_PROCESS_OUTPUT, 0, "process-output", NULL, "count the input of output.weight too",
     false},
    {OPT_ACTIVATIONS, 0, "activations", "f32|q8",
     "everything in floats, or inputs of matrix products, keys and values rounded as the "
     "engines do (q8)",
     false},
    {OPT_STATISTICS, 0, "show-statistics", NULL, "show statistics of each tensor", true},
    {OPT_JSON, 0, "json", NULL, "print the report as JSON", false},
    {OPT_THREADS, 't', "threads", "N", "threads (one a core)", true},
    {0},
};

static const char *const usage[] = {"[options] MODEL.gguf -f TEXT -o OUT.gguf",
                                    "--in FILE --in FILE ... -o OUT.gguf",
                                    "--show-statistics --in FILE", NULL};

static const char *const description[] = {
    "Measures how much each input column of each matrix matters: its mean squared activation "
    "while the model reads a text. gguf-quant --imatrix takes the file, and so do the engines' "
    "programs. Experts are counted apart.",
    "The text is cut into chunks; BOS takes the place of the first token of a chunk if the "
    "model wants BOS. Sums are those of llama-imatrix, in its GGUF form (NAME.in_sum2, "
    "NAME.counts) or in the legacy one.",
    "The output is complete or absent at any time. SIGINT, SIGTERM and SIGHUP end the run "
    "after the chunk at work, which is saved; --resume goes on with the same text, model and "
    "chunk size, and ends with the same file as a run that was not interrupted.",
    "--show-statistics shows, of the mean squares: sum, least, largest, mean, standard "
    "deviation, the share over 1e-5 (active), entropy in bits of their shares of the sum, the "
    "same by its largest possible value (evenness), the share over mean plus deviation "
    "(outliers), and the cosine of the sums with those of the layer before.",
    NULL};

static const char *const examples[] = {
    "gguf-imatrix model-f16.gguf -f calibration.txt -o imatrix.gguf",
    "the usual way",
    "gguf-imatrix --resume model-f16.gguf -f calibration.txt -o imatrix.gguf",
    "go on where an interrupted run was saved",
    "gguf-imatrix --in english.gguf --in code.dat -o both.gguf",
    "merge files",
    "gguf-imatrix --show-statistics --in imatrix.gguf",
    "look at it",
    NULL};

static const struct cli_program program = {
    .name = "gguf-imatrix",
    .summary = "compute importance matrices of GGUF models",
    .usage = usage,
    .options = options,
    .description = description,
    .examples = examples,
};

/* ---- Values ---------------------------------------------------------------------- */

static bool is_dat(const char *path)
{
    size_t n = strlen(path);
    return n >= 4 && strcmp(path + n - 4, ".dat") == 0;
}

static bool parse_format(const char *value)
{
    bool is_legacy = strcmp(value, "dat") == 0;
    if (!is_legacy && strcmp(value, "gguf") != 0)
        cli_die("--output-format: expected gguf or dat, found \"%s\"", value);
    return is_legacy;
}

static bool take_flag(struct request *r, int id)
{
    bool *const flags[OPT_THREADS + 1] = {
        [OPT_RESUME] = &r->resume,
        [OPT_PROCESS_OUTPUT] = &r->calibration.output,
        [OPT_STATISTICS] = &r->statistics,
        [OPT_JSON] = &r->json,
    };
    if (flags[id])
        *flags[id] = true;
    return flags[id] != NULL;
}

static void add_input(struct request *r, const char *path)
{
    r->inputs = cli_grow(r->inputs, r->n_inputs + 1, sizeof *r->inputs);
    r->inputs[r->n_inputs++] = path;
}

static void take_value(struct request *r, int id, const char *value)
{
    switch (id) {
    case OPT_FILE:
        r->calibration.text = value;
        break;
    case OPT_OUTPUT:
        r->output = value;
        break;
    case OPT_IN:
        add_input(r, value);
        break;
    case OPT_CHUNK:
        r->calibration.chunk = parse_chunk(value);
        break;
    case OPT_CHUNKS:
        r->calibration.chunks = parse_chunks(value);
        break;
    case OPT_SAVE_EVERY:
        r->save_every = cli_parse_u64("save-every", value, 0, UINT32_MAX);
        break;
    case OPT_ACTIVATIONS:
        r->calibration.activations = parse_activations(value);
        break;
    case OPT_THREADS:
        r->calibration.threads = (int)cli_parse_u64("threads", value, 1, 1024);
        break;
    default:
        break;
    }
}

/* ---- What is asked for ----------------------------------------------------------- */

static void take_options(struct cli *cli, struct request *r)
{
    const char *format = NULL;
    for (int id; (id = cli_next(cli)) != CLI_END;) {
        if (id == OPT_FORMAT)
            format = cli->value;
        else if (!take_flag(r, id))
            take_value(r, id, cli->value);
    }
    r->quiet = cli->verbosity < 0;
    r->calibration.cpu = cli->cpu;
    if (!r->output && (r->calibration.text || !r->statistics))
        r->output = "imatrix.gguf";
    r->is_legacy = format ? parse_format(format) : r->output && is_dat(r->output);
}

static void check_request(const struct request *r)
{
    const struct calibration_request *c = &r->calibration;
    if (c->model && !c->text)
        cli_die("no text: give one with -f");
    if (c->text && !c->model)
        cli_die("no model: which one shall read %s?", c->text);
    if (!c->text && r->n_inputs == 0)
        cli_die("nothing to do: give a model and a text with -f, or files with --in");
    if (r->resume && (!c->text || r->n_inputs))
        cli_die(r->n_inputs ? "--resume and --in exclude each other: the output holds those "
                              "files already"
                            : "--resume needs a model and a text");
    if (r->resume && r->is_legacy)
        cli_die("--resume needs the GGUF form: the legacy one does not say what it was made "
                "from");
}

int main(int argc, char **argv)
{
    struct cli cli;
    struct request r = {.save_every = 10};
    struct job job;
    int n;
    cli_start(&cli, &program, argc, argv);
    take_options(&cli, &r);
    char **arguments = cli_positionals(&cli, 0, 1, &n);
    r.calibration.model = n ? arguments[0] : NULL;
    check_request(&r);
    int code = job_run(&job, &r);
    report_unseen(&job);
    if (code == CLI_OK && r.json)
        report_json(&job);
    else if (code == CLI_OK && (!r.quiet || r.statistics))
        report_text(&job);
    job_free(&job);
    free(r.inputs);
    return cli_finish(&cli, code);
}
