/* Help, man page and completions, all from the one table of options. */
#include "tools/common/cli_doc.h"

#include <string.h>

/* The rows without help are hidden: they serve packagers, not people. */
const struct cli_option cli_common_options[] = {
    {CLI_QUIET, 'q', "quiet", NULL, "no progress and no remarks", false},
    {CLI_VERBOSE, 'v', "verbose", NULL, "say more", false},
    {CLI_NO_COLOR, 0, "no-color", NULL, "no colour (also with NO_COLOR in the environment)",
     false},
    {CLI_CPU, 0, "cpu", "LEVEL",
     "kernels for scalar, avx2, avx512 or neon (also with GGUF_CPU)", false},
    {CLI_HELP_SHORT, 'h', "help-short", NULL, "", true},
    {CLI_HELP, 0, "help", NULL, "all options, with examples (-h: the most used)", true},
    {CLI_VERSION, 0, "version", NULL, "print the version", false},
    {CLI_MAN, 0, "man", NULL, "", false},
    {CLI_COMPLETION, 0, "completion", "SHELL", "print completions for bash, zsh or fish",
     false},
    {0},
};

static bool is_shown(const struct cli_option *o, bool full)
{
    return o->help[0] && (full || o->basic);
}

/* "-t, --threads N" into `out`. */
static int option_form(char *out, size_t size, const struct cli_option *o)
{
    char letter[8] = "    ";
    if (o->letter)
        snprintf(letter, sizeof letter, "-%c, ", o->letter);
    return snprintf(out, size, "%s--%s%s%s", letter, o->name, o->argument ? " " : "",
                    o->argument ? o->argument : "");
}

static int widest_form(const struct cli_option *options, bool full)
{
    int widest = 0;
    for (const struct cli_option *o = options; o->id; o++) {
        char form[128];
        int n = option_form(form, sizeof form, o);
        if (is_shown(o, full) && n > widest)
            widest = n;
    }
    return widest;
}

static void print_options(const struct cli_option *options, bool full, int width)
{
    for (const struct cli_option *o = options; o->id; o++) {
        char form[128];
        option_form(form, sizeof form, o);
        if (is_shown(o, full))
            printf("  %-*s  %s\n", width, form, o->help);
    }
}

void cli_print_usage(const struct cli_program *program, FILE *stream)
{
    for (size_t i = 0; program->usage[i]; i++)
        fprintf(stream, "%s %s %s\n", i ? "      " : "usage:", program->name,
                program->usage[i]);
}

void cli_print_help(const struct cli_program *program, bool full)
{
    int width = widest_form(program->options, full);
    int common = widest_form(cli_common_options, full);
    width = width > common ? width : common;
    printf("%s: %s\n\n", program->name, program->summary);
    cli_print_usage(program, stdout);
    printf("\noptions:\n");
    print_options(program->options, full, width);
    print_options(cli_common_options, full, width);
    if (!full)
        return;
    printf("\nexamples:\n");
    for (size_t i = 0; program->examples[i]; i += 2)
        printf("  %s\n      %s\n", program->examples[i], program->examples[i + 1]);
    printf("\nexit status: 0 fine, 1 the answer is no, 2 trouble\n");
}

/* ---- Man page ------------------------------------------------------------------------ */

/* Text for roff: backslashes and hyphens escaped, a leading dot or quote hidden. */
static void print_roff(const char *text)
{
    if (*text == '.' || *text == '\'')
        printf("\\&");
    for (; *text; text++) {
        if (*text == '\\')
            printf("\\e");
        else if (*text == '-')
            printf("\\-");
        else
            putchar(*text);
    }
}

/* A sentence of a table: with a full stop, unless it ends by itself. */
static void print_sentence(const char *text)
{
    size_t n = strlen(text);
    print_roff(text);
    printf("%s\n", n > 0 && text[n - 1] == '?' ? "" : ".");
}

static void print_man_options(const struct cli_option *options)
{
    for (const struct cli_option *o = options; o->id; o++) {
        if (!is_shown(o, true))
            continue;
        printf(".TP\n");
        if (o->letter)
            printf("\\fB\\-%c\\fR, ", o->letter);
        printf("\\fB\\-\\-");
        print_roff(o->name);
        printf("\\fR");
        if (o->argument) {
            printf(" \\fI");
            print_roff(o->argument);
            printf("\\fR");
        }
        putchar('\n');
        print_sentence(o->help);
    }
}

void cli_print_man(const struct cli_program *program)
{
    printf(".TH %s 1 \"\" \"ggufkit %s\" \"User Commands\"\n.SH NAME\n", program->name,
           GGUFKIT_VERSION);
    print_roff(program->name);
    printf(" \\- ");
    print_roff(program->summary);
    printf("\n.SH SYNOPSIS\n");
    for (size_t i = 0; program->usage[i]; i++) {
        printf("%s.B ", i ? ".br\n" : "");
        print_roff(program->name);
        printf("\n");
        print_roff(program->usage[i]);
        printf("\n");
    }
    printf(".SH DESCRIPTION\n");
    for (size_t i = 0; program->description[i]; i++) {
        printf("%s", i ? ".PP\n" : "");
        print_roff(program->description[i]);
        printf("\n");
    }
    printf(".SH OPTIONS\n");
    print_man_options(program->options);
    print_man_options(cli_common_options);
    printf(".SH EXIT STATUS\n0 fine, 1 the answer is no, 2 trouble.\n.SH EXAMPLES\n");
    for (size_t i = 0; program->examples[i]; i += 2) {
        printf(".TP\n.B ");
        print_roff(program->examples[i]);
        printf("\n");
        print_sentence(program->examples[i + 1]);
    }
}

/* ---- Completions ------------------------------------------------------------------------ */

static void print_words(const struct cli_option *options)
{
    for (const struct cli_option *o = options; o->id; o++) {
        if (is_shown(o, true))
            printf(" --%s", o->name);
    }
}

/* A function name cannot hold a hyphen: gguf-info is completed by _gguf_info. */
static void print_function_name(const char *program)
{
    putchar('_');
    for (const char *p = program; *p; p++)
        putchar(*p == '-' ? '_' : *p);
}

static void print_bash(const struct cli_program *program)
{
    print_function_name(program->name);
    printf("()\n{\n    local word=${COMP_WORDS[COMP_CWORD]}\n    if [[ $word == -* ]]; then\n"
           "        COMPREPLY=($(compgen -W '");
    print_words(program->options);
    print_words(cli_common_options);
    printf("' -- \"$word\"))\n    else\n        COMPREPLY=($(compgen -f -- \"$word\"))\n    "
           "fi\n}\n");
    printf("complete -o filenames -F ");
    print_function_name(program->name);
    printf(" %s\n", program->name);
}

static void print_fish_options(const char *program, const struct cli_option *options)
{
    for (const struct cli_option *o = options; o->id; o++) {
        if (!is_shown(o, true))
            continue;
        printf("complete -c %s -l %s", program, o->name);
        if (o->letter)
            printf(" -s %c", o->letter);
        printf("%s -d \"%s\"\n", o->argument ? " -r" : "", o->help);
    }
}

bool cli_print_completion(const struct cli_program *program, const char *shell)
{
    if (strcmp(shell, "fish") == 0) {
        print_fish_options(program->name, program->options);
        print_fish_options(program->name, cli_common_options);
    } else if (strcmp(shell, "bash") == 0) {
        print_bash(program);
    } else if (strcmp(shell, "zsh") == 0) {
        printf("autoload -U +X bashcompinit && bashcompinit\n");
        print_bash(program);
    } else {
        cli_error("--completion: expected bash, zsh or fish, found \"%s\"", shell);
        return false;
    }
    return true;
}
