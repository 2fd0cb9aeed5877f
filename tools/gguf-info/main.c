/* gguf-info: the options, and what is done with each file. */
#include "tools/gguf-info/info.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* ---- Options --------------------------------------------------------------------------- */

enum option_id {
    OPT_METADATA = 1,
    OPT_FULL,
    OPT_KEYS,
    OPT_TENSORS,
    OPT_SORT,
    OPT_NAMES,
    OPT_LAYOUT,
    OPT_VALUES,
    OPT_STATS,
    OPT_TEMPLATE,
    OPT_TOKENIZER,
    OPT_VERIFY,
    OPT_JSON,
    OPT_THREADS
};

static const struct cli_option options[] = {
    {OPT_METADATA, 0, "metadata", NULL, "list the metadata, long values shortened", true},
    {OPT_TENSORS, 0, "tensors", NULL, "list the tensors: name, shape, type, offset, bytes",
     true},
    {OPT_TOKENIZER, 0, "tokenizer", NULL, "vocabulary, tokens by type, special tokens", true},
    {OPT_TEMPLATE, 0, "chat-template", NULL, "print the chat template", true},
    {OPT_VERIFY, 0, "verify", NULL,
     "read everything and say what is wrong; exit 1 if something is", true},
    {OPT_STATS, 0, "stats", NULL, "min, max, mean, std, zeros, NaN and Inf of each tensor",
     true},
    {OPT_VALUES, 0, "values", "TENSOR[:N]", "print the first N decoded values (64)", false},
    {OPT_LAYOUT, 0, "layout", NULL, "what lies where: header, padding, gaps, data", false},
    {OPT_KEYS, 0, "keys", "REGEX", "only metadata whose key matches; implies --metadata",
     false},
    {OPT_NAMES, 0, "names", "REGEX", "only tensors whose name matches; implies --tensors",
     false},
    {OPT_SORT, 0, "sort", "KEY", "order of tensors: offset, name, size, type or params", false},
    {OPT_FULL, 0, "full", NULL, "shorten nothing", false},
    {OPT_JSON, 0, "json", NULL, "one JSON object for a file, an array for several", true},
    {OPT_THREADS, 't', "threads", "N", "threads for --stats and --verify (one a core)", false},
    {0},
};

static const char *const usage[] = {"[options] FILE...", NULL};

static const char *const description[] = {
    "Shows what a GGUF model file holds. Without options it prints a summary: architecture, "
    "parameters, hyperparameters, tokenizer, types of the tensors and their shares. A file "
    "that is one shard of a set stands for the whole set.",
    "A damaged file is shown as far as it can be read; the cause goes to standard error and "
    "the exit status is 2, or 1 with --verify.",
    "Whatever a file holds, nothing but printable text, newlines and tabs is written: other "
    "characters appear as \\n, \\xNN or \\u{NNNN}.",
    NULL};

static const char *const examples[] = {
    "gguf-info model.gguf",
    "the summary",
    "gguf-info --keys rope model.gguf",
    "metadata whose key contains \"rope\"",
    "gguf-info --names 'ffn_(up|down)' --sort size model.gguf",
    "feed-forward tensors, largest first",
    "gguf-info --verify *.gguf",
    "check downloads",
    "gguf-info --json model.gguf | jq .parameters",
    "for programs",
    NULL};

static const struct cli_program program = {
    .name = "gguf-info",
    .summary = "look into GGUF model files",
    .usage = usage,
    .options = options,
    .description = description,
    .examples = examples,
};

static enum sort_key parse_sort(const char *value)
{
    static const char *const names[] = {
        [SORT_FILE] = "file", [SORT_OFFSET] = "offset", [SORT_NAME] = "name",
        [SORT_SIZE] = "size", [SORT_TYPE] = "type",     [SORT_PARAMS] = "params"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strcasecmp(value, names[i]) == 0)
            return (enum sort_key)i;
    }
    cli_die("--sort: expected offset, name, size, type or params, found \"%s\"", value);
}

static void add_values(struct request *r, const char *argument)
{
    r->values = cli_grow(r->values, r->n_values + 1, sizeof *r->values);
    r->values[r->n_values++] = argument;
    r->sections |= SHOW_VALUES;
}

static void replace_filter(struct filter **filter, const char *option, const char *pattern)
{
    filter_free(*filter);
    *filter = filter_new(option, pattern);
}

/* The sections that an option asks for. */
static unsigned section_of(int id)
{
    static const unsigned sections[] = {
        [OPT_METADATA] = SHOW_METADATA, [OPT_TENSORS] = SHOW_TENSORS,
        [OPT_LAYOUT] = SHOW_LAYOUT,     [OPT_STATS] = SHOW_STATS,
        [OPT_TEMPLATE] = SHOW_TEMPLATE, [OPT_TOKENIZER] = SHOW_TOKENIZER,
        [OPT_VERIFY] = SHOW_VERIFY,     [OPT_THREADS] = 0,
    };
    return sections[id];
}

static void take_option(struct request *r, int id, const char *value)
{
    switch (id) {
    case OPT_FULL:
        r->full = true;
        break;
    case OPT_JSON:
        r->json = true;
        break;
    case OPT_KEYS:
        replace_filter(&r->keys, "keys", value);
        break;
    case OPT_NAMES:
        replace_filter(&r->names, "names", value);
        break;
    case OPT_SORT:
        r->sort = parse_sort(value);
        break;
    case OPT_VALUES:
        add_values(r, value);
        break;
    case OPT_THREADS:
        r->threads = (int)cli_parse_u64("threads", value, 1, 1024);
        break;
    default:
        r->sections |= section_of(id);
    }
}

/* What the options imply together. */
static void complete_request(struct request *r)
{
    if (r->keys)
        r->sections |= SHOW_METADATA;
    if ((r->names || r->sort != SORT_FILE) && !(r->sections & SHOW_STATS))
        r->sections |= SHOW_TENSORS;
    if (r->full && !r->sections)
        r->sections = SHOW_METADATA;
    if (!r->sections)
        r->sections = SHOW_SUMMARY;
}

/* ---- Sections -------------------------------------------------------------------- */

#define SHOW_ALWAYS (~0u)

/* In the order of the output. `json` says in which requests the JSON object has it. */
static const struct section {
    unsigned bit, json;
    const char *title;
    void (*print)(struct info *info);
    void (*add_json)(struct info *info, cJSON *json);
} sections[] = {
    {SHOW_SUMMARY, SHOW_ALWAYS, "Summary", summary_print, summary_json},
    {SHOW_TOKENIZER, SHOW_ALWAYS, "Tokenizer", tokenizer_print, tokenizer_json},
    {SHOW_METADATA, SHOW_ALWAYS, "Metadata", metadata_print, metadata_json},
    {SHOW_TENSORS, SHOW_ALWAYS, "Tensors", tensors_print, tensors_json},
    {SHOW_LAYOUT, SHOW_LAYOUT, "Layout", layout_print, layout_json},
    {SHOW_VALUES, SHOW_VALUES, "Values", values_print, values_json},
    {SHOW_STATS, 0, "Statistics", stats_print, NULL}, /* in JSON, part of each tensor */
    {SHOW_TEMPLATE, SHOW_TEMPLATE, "Chat template", template_print, template_json},
    {SHOW_VERIFY, SHOW_VERIFY, "Verification", verify_print, verify_json},
};
#define N_SECTIONS (sizeof sections / sizeof sections[0])

static void print_heading(const struct request *r, const char *text)
{
    printf("%s", r->color ? "\033[1m" : "");
    term_print_str(stdout, (struct gguf_str){text, strlen(text)}, 0);
    printf("%s\n", r->color ? "\033[0m" : "");
}

static void print_sections(struct info *info)
{
    const struct request *r = info->request;
    bool several = (r->sections & (r->sections - 1)) != 0;
    bool first = true;
    for (size_t i = 0; i < N_SECTIONS; i++) {
        if (!(r->sections & sections[i].bit))
            continue;
        if (several) {
            printf("%s", first ? "" : "\n");
            print_heading(r, sections[i].title);
        }
        sections[i].print(info);
        first = false;
    }
}

static void add_sections(struct info *info, cJSON *json)
{
    for (size_t i = 0; i < N_SECTIONS; i++) {
        if (info->request->sections & sections[i].json)
            sections[i].add_json(info, json);
    }
}

/* ---- Files ----------------------------------------------------------------------- */

void info_worse(struct info *info, int code)
{
    if (code > info->code)
        info->code = code;
}

void info_place(const struct gguf_error *err, char *out, size_t size)
{
    char byte[32];
    snprintf(byte, sizeof byte, "byte %" PRIu64, err->offset);
    out[0] = '\0';
    bool whole = err->status == GGUF_ERR_NOT_GGUF || err->status == GGUF_ERR_TRUNCATED;
    if (!whole && err->offset != GGUF_NO_OFFSET && !strstr(err->message, byte))
        snprintf(out, size, " (at %s)", byte);
}

/* Messages of the library name the file. */
static void report(const struct gguf_error *err)
{
    char place[48];
    info_place(err, place, sizeof place);
    cli_error("%s%s", err->message, place);
}

static void add_error_json(cJSON *json, const char *key, const struct gguf_error *err)
{
    cJSON *entry = json_add_object(json, key);
    json_text(entry, "status", gguf_status_name(err->status));
    json_text(entry, "message", err->message);
    if (err->offset != GGUF_NO_OFFSET)
        json_u64(entry, "offset", err->offset);
    else
        json_null(entry, "offset");
}

/* A file that cannot be opened. Where --verify was asked for, a broken file is an answer;
 * one that the system does not let us read is trouble as ever. */
static void show_failure(struct info *info, const struct gguf_error *err, cJSON *json)
{
    bool answer = (info->request->sections & SHOW_VERIFY) && err->status != GGUF_ERR_IO &&
                  err->status != GGUF_ERR_MEMORY && err->status != GGUF_ERR_ARGUMENT;
    info_worse(info, answer ? CLI_NO : CLI_TROUBLE);
    if (json)
        add_error_json(json, "error", err);
    if (answer && json)
        verify_json_failure(err, json);
    else if (answer)
        verify_print_failure(err);
    else
        report(err);
}

#define SHOWN_PROBLEMS 8

/* Problems of a file that was opened all the same; --verify lists them itself. */
static void show_problems(struct info *info, cJSON *json)
{
    struct problems p = problems_new(info->model);
    if (p.count && json)
        add_error_json(json, "error", &p.list[0]);
    if (p.count && !(info->request->sections & SHOW_VERIFY)) {
        size_t shown = p.count < SHOWN_PROBLEMS ? p.count : SHOWN_PROBLEMS;
        info_worse(info, CLI_TROUBLE);
        for (size_t i = 0; i < shown; i++)
            report(&p.list[i]);
        if (p.count + p.more > shown)
            cli_error("%s: %s more; --verify lists them", info->path,
                      text_plural(p.count + p.more - shown, "problem").text);
    }
    problems_free(&p);
}

/* `json` is the file's object, or NULL for text. */
static int show_file(const struct request *request, const char *path, cJSON *json)
{
    struct info info = {.request = request, .path = path};
    struct gguf_error err;
    if (json)
        json_text(json, "file", path);
    if (gguf_open(&info.model, path, GGUF_OPEN_INSPECT, &err) != GGUF_OK) {
        show_failure(&info, &err, json);
        return info.code;
    }
    if (json)
        add_sections(&info, json);
    else
        print_sections(&info);
    show_problems(&info, json);
    gguf_close(info.model);
    return info.code;
}

static int show_text(const struct request *request, char **paths, int count)
{
    int worst = CLI_OK;
    for (int i = 0; i < count; i++) {
        if (count > 1) {
            printf("%s", i ? "\n" : "");
            print_heading(request, paths[i]);
        }
        int code = show_file(request, paths[i], NULL);
        worst = code > worst ? code : worst;
    }
    return worst;
}

static int show_json(const struct request *request, char **paths, int count)
{
    int worst = CLI_OK;
    cJSON *root = count > 1 ? json_array() : json_object();
    for (int i = 0; i < count; i++) {
        cJSON *json = count > 1 ? json_add_object(root, NULL) : root;
        int code = show_file(request, paths[i], json);
        worst = code > worst ? code : worst;
    }
    json_print(root);
    return worst;
}

int main(int argc, char **argv)
{
    struct cli cli;
    struct request request = {0};
    int count;
    cli_start(&cli, &program, argc, argv);
    for (int id; (id = cli_next(&cli)) != CLI_END;)
        take_option(&request, id, cli.value);
    char **paths = cli_positionals(&cli, 1, argc, &count);
    complete_request(&request);
    request.quiet = cli.verbosity < 0;
    request.cpu = cli.cpu;
    request.color = term_color(stdout, cli.no_color);
    int code =
        request.json ? show_json(&request, paths, count) : show_text(&request, paths, count);
    filter_free(request.keys);
    filter_free(request.names);
    free(request.values);
    return cli_finish(&cli, code);
}
