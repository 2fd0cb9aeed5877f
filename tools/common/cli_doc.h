/* What is printed from a program's table of options; private to tools/common. */
#ifndef TOOLS_COMMON_CLI_DOC_H
#define TOOLS_COMMON_CLI_DOC_H

#include <stdio.h>

#include "tools/common/cli.h"

/* Ids of the options that every program has, above those of the programs' own. */
enum {
    CLI_HELP_SHORT = 10000,
    CLI_HELP,
    CLI_VERSION,
    CLI_QUIET,
    CLI_VERBOSE,
    CLI_NO_COLOR,
    CLI_CPU,
    CLI_MAN,
    CLI_COMPLETION
};

/* The options that every program has; id 0 ends. */
extern const struct cli_option cli_common_options[];

void cli_print_usage(const struct cli_program *program, FILE *stream);
/* -h shows the basic options, --help all of them and the examples. */
void cli_print_help(const struct cli_program *program, bool full);
/* The man page in man(7) macros. */
void cli_print_man(const struct cli_program *program);
/* For "bash", "zsh" or "fish"; another shell is a message and false. */
bool cli_print_completion(const struct cli_program *program, const char *shell);

#endif
