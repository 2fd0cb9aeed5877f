/* Options, messages and exit codes: see cli.h. */
#include "tools/common/cli.h"
#include "tools/common/cli_doc.h"

#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* The only state of the program's manners: its name, for messages. */
static const char *program_name = "ggufkit";

/* ---- Messages --------------------------------------------------------------------- */

static void say(const char *kind, const char *format, va_list args)
{
    char raw[2048], safe[4096];
    int n = vsnprintf(raw, sizeof raw, format, args);
    size_t size = n < 0 ? 0 : (size_t)n < sizeof raw ? (size_t)n : sizeof raw - 1;
    gguf_str_escape(safe, sizeof safe, (struct gguf_str){raw, size});
    fflush(stdout);
    fprintf(stderr, "%s: %s: %s\n", program_name, kind, safe);
}

void cli_error(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    say("error", format, args);
    va_end(args);
}

void cli_warning(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    say("warning", format, args);
    va_end(args);
}

void cli_die(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    say("error", format, args);
    va_end(args);
    exit(CLI_TROUBLE);
}

void cli_die_memory(void)
{
    cli_die("out of memory");
}

void cli_refuse_input(const char *output, const char *input)
{
    struct stat in, out;
    if (input && output && stat(input, &in) == 0 && stat(output, &out) == 0 &&
        in.st_dev == out.st_dev && in.st_ino == out.st_ino)
        cli_die("%s: is the input %s itself; give the output another name", output, input);
}

void *cli_alloc(size_t count, size_t size)
{
    void *p = calloc(count ? count : 1, size);
    if (!p)
        cli_die_memory();
    return p;
}

void *cli_grow(void *old, size_t count, size_t size)
{
    if (size && count > SIZE_MAX / size)
        cli_die_memory();
    size_t bytes = count * size;
    void *p = realloc(old, bytes ? bytes : 1);
    if (!p)
        cli_die_memory();
    return p;
}

/* ---- Options -------------------------------------------------------------------------- */

#define LONG_OPTION 256 /* above every letter */

static size_t count_options(const struct cli_option *options)
{
    size_t n = 0;
    while (options[n].id)
        n++;
    return n;
}

/* Adds the rows of one table to what getopt_long understands. It returns a letter for a
 * short option and LONG_OPTION + id for a long one. */
static void add_options(struct cli *cli, size_t *used, const struct cli_option *options)
{
    for (const struct cli_option *o = options; o->id; o++) {
        cli->long_options[(*used)++] = (struct option){
            o->name, o->argument ? required_argument : no_argument, NULL, LONG_OPTION + o->id};
        size_t n = strlen(cli->short_options);
        if (o->letter && n + 3 < sizeof cli->short_options)
            snprintf(cli->short_options + n, 3, "%c%s", o->letter, o->argument ? ":" : "");
    }
}

void cli_start(struct cli *cli, const struct cli_program *program, int argc, char **argv)
{
    program_name = program->name;
    *cli = (struct cli){.program = program, .argc = argc, .argv = argv, .short_options = ":"};
    size_t n = count_options(program->options) + count_options(cli_common_options);
    cli->long_options = cli_alloc(n + 1, sizeof *cli->long_options);
    size_t used = 0;
    add_options(cli, &used, program->options);
    add_options(cli, &used, cli_common_options);
    opterr = 0;
}

static int id_of_letter(const struct cli_option *options, int letter)
{
    for (const struct cli_option *o = options; o->id; o++) {
        if (o->letter && o->letter == letter)
            return o->id;
    }
    return 0;
}

static void print_and_exit(struct cli *cli, bool printed)
{
    exit(printed ? cli_finish(cli, CLI_OK) : CLI_TROUBLE);
}

/* Does what a common option says; true if `id` is one. */
static bool common_option(struct cli *cli, int id)
{
    switch (id) {
    case CLI_HELP_SHORT:
        cli_print_help(cli->program, false);
        print_and_exit(cli, true);
        break;
    case CLI_HELP:
        cli_print_help(cli->program, true);
        print_and_exit(cli, true);
        break;
    case CLI_VERSION:
        printf("%s (ggufkit) %s\n", cli->program->name, GGUFKIT_VERSION);
        print_and_exit(cli, true);
        break;
    case CLI_MAN:
        cli_print_man(cli->program);
        print_and_exit(cli, true);
        break;
    case CLI_COMPLETION:
        print_and_exit(cli, cli_print_completion(cli->program, cli->value));
        break;
    case CLI_QUIET:
        cli->verbosity = -1;
        return true;
    case CLI_VERBOSE:
        cli->verbosity = 1;
        return true;
    case CLI_NO_COLOR:
        cli->no_color = true;
        return true;
    case CLI_CPU:
        cli->cpu_name = cli->value;
        return true;
    default:
        break;
    }
    return false;
}

/* The names of the levels that this machine runs, as "scalar, avx2". */
static void list_levels(char *out, size_t size)
{
    size_t used = 0;
    out[0] = '\0';
    for (unsigned i = 0; quant_cpu_name((enum quant_cpu)i); i++) {
        if (quant_cpu_runs((enum quant_cpu)i) && used < size)
            used += (size_t)snprintf(out + used, size - used, "%s%s", used ? ", " : "",
                                     quant_cpu_name((enum quant_cpu)i));
    }
}

/* The level that --cpu or the environment names; the best one where neither does. */
static enum quant_cpu choose_cpu(const struct cli *cli)
{
    const char *name = cli->cpu_name, *source = "--cpu";
    enum quant_cpu cpu;
    char levels[64];
    if (!name) {
        name = getenv("GGUF_CPU");
        source = "GGUF_CPU";
    }
    if (!name || (!cli->cpu_name && !*name))
        return quant_cpu_best();
    list_levels(levels, sizeof levels);
    if (!quant_cpu_find(name, &cpu))
        cli_die("%s: there is no level \"%s\"; this machine runs %s", source, name, levels);
    if (!quant_cpu_runs(cpu))
        cli_die("%s: this machine cannot run %s; it runs %s", source, quant_cpu_name(cpu),
                levels);
    return cpu;
}

static void bad_option(struct cli *cli, int found)
{
    const char *word = cli->argv[optind - 1];
    if (found == ':')
        cli_die("option %s needs a value; see %s --help", word, cli->program->name);
    if (optopt > 0 && optopt < LONG_OPTION && word[0] == '-' && word[1] != '-')
        cli_die("unknown option -%c; see %s --help", optopt, cli->program->name);
    if (optopt >= LONG_OPTION)
        cli_die("option %s takes no value", word);
    cli_die("unknown option %s; see %s --help", word, cli->program->name);
}

int cli_next(struct cli *cli)
{
    for (;;) {
        int found =
            getopt_long(cli->argc, cli->argv, cli->short_options, cli->long_options, NULL);
        if (found == -1) {
            cli->cpu = choose_cpu(cli);
            return CLI_END;
        }
        if (found == '?' || found == ':')
            bad_option(cli, found);
        int id = found - LONG_OPTION;
        if (found < LONG_OPTION) {
            id = id_of_letter(cli->program->options, found);
            if (!id)
                id = id_of_letter(cli_common_options, found);
        }
        cli->value = optarg;
        if (!common_option(cli, id))
            return id;
    }
}

char **cli_positionals(struct cli *cli, int least, int most, int *count)
{
    *count = cli->argc - optind;
    if (*count < least || *count > most) {
        if (*count > most)
            cli_error("unexpected argument: %s", cli->argv[optind + most]);
        else
            cli_error("missing argument");
        cli_print_usage(cli->program, stderr);
        exit(CLI_TROUBLE);
    }
    return cli->argv + optind;
}

/* ---- Values ------------------------------------------------------------------------------ */

uint64_t cli_parse_u64(const char *option, const char *value, uint64_t least, uint64_t most)
{
    char *end;
    errno = 0;
    unsigned long long n = strtoull(value, &end, 10);
    bool digits = value[0] >= '0' && value[0] <= '9';
    if (!digits || *end || errno || n < least || n > most)
        cli_die("--%s: expected a whole number from %llu to %llu, found \"%s\"", option,
                (unsigned long long)least, (unsigned long long)most, value);
    return n;
}

double cli_parse_number(const char *option, const char *value, double least, double most,
                        const char *sign)
{
    char *end;
    double x = strtod(value, &end);
    bool digits = strspn(value, "0123456789.+-eE") == (size_t)(end - value) && end != value;
    if (!digits || (*end && strcmp(end, sign) != 0) || !(x >= least && x <= most))
        cli_die("--%s: expected a number from %g to %g, found \"%s\"", option, least, most,
                value);
    return x;
}

uint64_t cli_parse_bytes(const char *option, const char *value)
{
    static const struct {
        const char *suffix;
        uint64_t unit;
    } units[] = {
        {"", 1},        {"B", 1},          {"K", 1000},       {"KB", 1000},
        {"M", 1000000}, {"MB", 1000000},   {"G", 1000000000}, {"GB", 1000000000},
        {"KiB", 1024},  {"MiB", 1u << 20}, {"GiB", 1u << 30},
    };
    char *end;
    errno = 0;
    unsigned long long n = strtoull(value, &end, 10);
    bool digits = value[0] >= '0' && value[0] <= '9';
    for (size_t i = 0; digits && !errno && i < sizeof units / sizeof units[0]; i++) {
        if (strcmp(end, units[i].suffix) == 0 && n && n <= INT64_MAX / units[i].unit)
            return n * units[i].unit;
    }
    cli_die("--%s: expected a size like 500M, 2G or 2GiB, found \"%s\"", option, value);
}

int cli_finish(struct cli *cli, int code)
{
    free(cli->long_options);
    cli->long_options = NULL;
    if (fflush(stdout) != 0 || ferror(stdout)) {
        cli_error("cannot write to standard output: %s", strerror(errno));
        return CLI_TROUBLE;
    }
    return code;
}
