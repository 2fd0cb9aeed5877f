/*
 * Finished files get their names. Renaming replaces what was there, and what comes after it
 * can still fail: the next file of a set, the fsync of the folder. So a replaced file keeps
 * a second, hidden name until everything is done:
 *
 *   NAME      -> old   link   NAME      -> old   rename   NAME      -> new   sync    NAME ->
 * new .NAME.tmp -> new          .NAME.old -> old            .NAME.old -> old   unlink .NAME.tmp
 * -> new
 */
#include "libgguf/writer.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool is_absent(const char *path)
{
    struct stat st;
    return lstat(path, &st) != 0 && errno == ENOENT;
}

/* A target that appeared meanwhile is not destroyed: a hard link fails where a rename
 * would replace. Where there are no hard links, a look must do. */
static int place_new(struct writer_shard *s)
{
    if (link(s->temp, s->path) != 0) {
        if (errno == EEXIST || !is_absent(s->path)) {
            errno = EEXIST;
            return -1;
        }
        if (rename(s->temp, s->path) != 0)
            return -1;
    }
    atomic_store(&s->made, true);
    unlink(s->temp); /* fails where it was renamed */
    return 0;
}

/* Where the old file cannot get a second name, it is replaced for good. */
static int place_over(struct writer_shard *s)
{
    atomic_store(&s->saved, true);
    if (link(s->path, s->backup) != 0)
        atomic_store(&s->saved, false);
    bool absent = is_absent(s->path);
    if (rename(s->temp, s->path) != 0)
        return -1;
    atomic_store(&s->made, absent && !atomic_load(&s->saved));
    return 0;
}

static enum gguf_status place(struct writer_shard *s, bool overwrite, struct gguf_error *err)
{
    if ((overwrite ? place_over(s) : place_new(s)) == 0)
        return GGUF_OK;
    if (errno == EEXIST && !overwrite)
        return gguf_fail(err, GGUF_ERR_EXISTS, GGUF_NO_OFFSET,
                         "%s: appeared while it was being made, and is not overwritten",
                         s->path);
    return gguf_fail_errno(err, GGUF_NO_OFFSET, "%s: cannot give the finished file its name",
                           s->path);
}

/* ---- Folders ---------------------------------------------------------------------------- */

static bool same_folder(const char *a, const char *b)
{
    size_t n = gguf_folder_size(a);
    return n == gguf_folder_size(b) && memcmp(a, b, n) == 0;
}

static enum gguf_status sync_folders(const struct gguf_writer *w, struct gguf_error *err)
{
    for (size_t i = 0; i < w->n_shards; i++) {
        const char *path = w->shards[i].path;
        if (i > 0 && same_folder(path, w->shards[i - 1].path))
            continue;
        char *folder = gguf_folder_of(path);
        if (!folder)
            return gguf_fail_memory(err);
        enum gguf_status status = GGUF_OK;
        if (gguf_folder_sync(folder) != 0)
            status = gguf_fail_errno(err, GGUF_NO_OFFSET,
                                     "%s: cannot write folder %s to the disk", path, folder);
        free(folder);
        if (status)
            return status;
    }
    return GGUF_OK;
}

/* ---- All or nothing -------------------------------------------------------------- */

static bool same_file(const char *a, const char *b)
{
    struct stat x, y;
    return stat(a, &x) == 0 && stat(b, &y) == 0 && x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

/* The old file gets its name back. If it had not lost it yet, rename does nothing: both are
 * names of one file. If it cannot have it back, it keeps the hidden one. */
static void take_back(struct writer_shard *s)
{
    unlink(s->temp);
    if (atomic_exchange(&s->saved, false) &&
        (rename(s->backup, s->path) == 0 || same_file(s->backup, s->path)))
        unlink(s->backup);
    if (atomic_exchange(&s->made, false))
        unlink(s->path);
}

void gguf_writer_settle(struct gguf_writer *w)
{
    size_t n = atomic_load(&w->n_named);
    bool committed = atomic_load(&w->committed);
    for (size_t i = 0; i < n; i++) {
        struct writer_shard *s = &w->shards[i];
        if (!committed)
            take_back(s);
        else if (atomic_exchange(&s->saved, false))
            unlink(s->backup);
    }
}

enum gguf_status gguf_writer_place(struct gguf_writer *w, struct gguf_error *err)
{
    enum gguf_status status = GGUF_OK;
    for (size_t i = 0; i < w->n_shards && !status; i++)
        status = place(&w->shards[i], w->options.overwrite, err);
    if (!status)
        status = sync_folders(w, err);
    atomic_store(&w->committed, !status);
    gguf_writer_settle(w);
    return status;
}
