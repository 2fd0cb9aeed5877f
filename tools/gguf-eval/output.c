/*
 * Files that gguf-eval writes: complete or absent. Written under a hidden name in the same
 * folder and renamed at the end. An older file of that name is replaced: it is a result
 * that can be made again, unless it is an input.
 */
#include "tools/gguf-eval/eval.h"
#include "tools/common/signals.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char *volatile unfinished; /* the temporary name while there is one */

static void remove_unfinished(void)
{
    if (unfinished)
        unlink(unfinished);
}

static void on_signal(int number)
{
    remove_unfinished();
    signal(number, SIG_DFL);
    raise(number);
}

/* However the program ends, there is no temporary file left. */
static void guard_unfinished(void)
{
    atexit(remove_unfinished);
    signals_catch(on_signal);
}

/* From here on it is too late to interrupt: a program that a signal ended has written
 * nothing. */
static bool give_name(const char *path)
{
    signals_catch(SIG_IGN);
    bool named = gguf_hidden_place(unfinished, path) == 0;
    if (named) {
        free(unfinished);
        unfinished = NULL;
    }
    return named;
}

/* Dies if the path is one of the inputs, which would be lost, or a folder. */
static void check_path(const char *path, const struct request *r)
{
    const char *const inputs[] = {r->text, r->tokens, r->imatrix, r->choices};
    struct stat out;
    if (stat(path, &out) != 0)
        return;
    if (S_ISDIR(out.st_mode))
        cli_die("%s: is a folder", path);
    for (size_t i = 0; i < sizeof inputs / sizeof inputs[0]; i++)
        cli_refuse_input(path, inputs[i]);
    for (int i = 0; i < r->n_files; i++) {
        struct gguf *model = open_file(r->files[i], 0);
        refuse_model(path, model);
        gguf_close(model);
    }
}

/* A hidden file beside `path`; NULL with errno. */
static FILE *open_beside(const char *path)
{
    char *name = gguf_hidden_name(path, "tmp");
    if (!name)
        cli_die_memory();
    guard_unfinished();
    int fd = gguf_hidden_create(name, path);
    if (fd < 0) {
        free(name);
        return NULL;
    }
    unfinished = name;
    return fdopen(fd, "wb");
}

void output_open(struct output *output, const char *path, const struct request *r)
{
    struct stat old;
    check_path(path, r);
    bool is_special = stat(path, &old) == 0 && !S_ISREG(old.st_mode); /* /dev/stdout */
    *output = (struct output){path, is_special ? fopen(path, "wb") : open_beside(path)};
    if (!output->file)
        output_failed(output);
}

void output_failed(const struct output *output)
{
    cli_die("%s: cannot be written: %s", output->path, strerror(errno));
}

void output_close(struct output *output)
{
    bool failed = ferror(output->file) != 0 || fflush(output->file) != 0 ||
                  (unfinished && fsync(fileno(output->file)) != 0);
    if (failed || fclose(output->file) != 0 || (unfinished && !give_name(output->path)))
        output_failed(output);
}
