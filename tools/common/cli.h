/*
 * The manners that all programs share: options from one table, help and man page from
 * the same table, messages on stderr, exit codes.
 */
#ifndef TOOLS_COMMON_CLI_H
#define TOOLS_COMMON_CLI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "quant/quant.h"

/* What a program's exit code says. */
enum cli_exit {
    CLI_OK = 0,     /* done; the answer is yes */
    CLI_NO = 1,     /* done; the answer is no: differs, does not verify */
    CLI_TROUBLE = 2 /* could not be done */
};

/* One row of a program's table of options. */
struct cli_option {
    int id;               /* > 0, what cli_next returns */
    char letter;          /* short form, or 0 */
    const char *name;     /* long form without dashes */
    const char *argument; /* what the help shows for the value ("TYPE"); NULL for a flag */
    const char *help;     /* one sentence, no full stop */
    bool basic;           /* shown by -h too; --help and the man page show all */
};

/* -h, --help, --version, -q, -v, --no-color, --cpu and the hidden --man and --completion belong
 * to every program and are added by cli_next; so is what they do. */
struct cli_program {
    const char *name;         /* "gguf-info" */
    const char *summary;      /* one line: what it does */
    const char *const *usage; /* forms of the command line without the name; NULL ends */
    const struct cli_option *options; /* id 0 ends */
    const char *const *description;   /* paragraphs of the man page; NULL ends */
    const char *const *examples;      /* pairs: command, what it does; NULL ends */
};

/* State of the parser; initialise with cli_start. */
struct cli {
    const struct cli_program *program;
    int argc;
    char **argv;
    struct option *long_options; /* of <getopt.h> */
    char short_options[128];
    const char *value; /* of the option that cli_next returned, or NULL */
    int verbosity;     /* -1 with -q, 0, 1 with -v */
    bool no_color;
    const char *cpu_name; /* given with --cpu, or NULL */
    enum quant_cpu cpu;   /* after CLI_END: of --cpu, of GGUF_CPU, or the best one */
};

enum { CLI_END = 0 };

/* Starts a program: the "C" locale for numbers, the name for messages. */
void cli_start(struct cli *cli, const struct cli_program *program, int argc, char **argv);

/* The next option's id with its value in cli->value, or CLI_END when only the positional
 * arguments are left (cli_positionals). Options and positionals may be mixed. An unknown
 * option, a missing value or a processor that this is not is a message and exit 2; -h, --help,
 * --version, --man and --completion print and exit 0. */
int cli_next(struct cli *cli);

/* The positional arguments after CLI_END. Fewer than `least` or more than `most`: a
 * message with the usage and exit 2. */
char **cli_positionals(struct cli *cli, int least, int most, int *count);

/* Values of options; a value that does not fit is a message and exit 2. `option` is the
 * long name for the message. */
uint64_t cli_parse_u64(const char *option, const char *value, uint64_t least, uint64_t most);

/* A decimal number, with or without `sign` behind ("0.5%"; "" for none). */
double cli_parse_number(const char *option, const char *value, double least, double most,
                        const char *sign);

/* "500M", "2G" (10^6, 10^9), "500MiB", "2GiB" or plain bytes. */
uint64_t cli_parse_bytes(const char *option, const char *value);

/* ---- Messages on stderr: "gguf-info: error: ..."; escaped, one line each -------- */

#if defined(__GNUC__)
#define CLI_PRINTF(fmt_arg, first_arg) __attribute__((format(printf, fmt_arg, first_arg)))
#define CLI_NORETURN                   __attribute__((noreturn))
#else
#define CLI_PRINTF(fmt_arg, first_arg)
#define CLI_NORETURN
#endif

void cli_error(const char *format, ...) CLI_PRINTF(1, 2);
void cli_warning(const char *format, ...) CLI_PRINTF(1, 2);
/* An error and exit 2. */
void cli_die(const char *format, ...) CLI_PRINTF(1, 2) CLI_NORETURN;
void cli_die_memory(void) CLI_NORETURN;

/* Dies if `output` is the file `input`, under whatever name: making it would destroy it. Either
 * may be NULL. */
void cli_refuse_input(const char *output, const char *input);

/* Zeroed memory, and realloc; both end the program when there is none. */
void *cli_alloc(size_t count, size_t size);
void *cli_grow(void *old, size_t count, size_t size);

/* Flushes stdout; where that fails (a full disk, a closed pipe) a message, and
 * CLI_TROUBLE instead of `code`. Every program ends with `return cli_finish(&cli, code)`. */
int cli_finish(struct cli *cli, int code);

#endif
