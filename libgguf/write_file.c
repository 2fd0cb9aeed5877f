/*
 * Temporary files: an output is written under a hidden name in the target's folder and gets
 * its own once everything is on the disk (write_place.c).
 */
#define _GNU_SOURCE /* realpath; sync_file_range where there is one */

#include "libgguf/checked.h"
#include "libgguf/writer.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

/* Bytes between two hints to bring what was written to the disk. */
#define WRITE_BACK ((uint64_t)32 << 20)

size_t gguf_folder_size(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? (size_t)(slash - path) + 1 : 0;
}

char *gguf_folder_of(const char *path)
{
    size_t n = gguf_folder_size(path);
    return n ? strndup(path, n) : strdup(".");
}

/* ---- Before a file is created --------------------------------------------------------- */

/* A link is followed, so that it stays a link and what it points to is replaced. */
static enum gguf_status resolve(struct writer_shard *s, struct gguf_error *err)
{
    char *real = realpath(s->path, NULL);
    if (!real)
        return gguf_fail_errno(err, GGUF_NO_OFFSET, "%s: cannot resolve", s->path);
    free(s->path);
    s->path = real;
    return GGUF_OK;
}

/* What is at the target now. */
static enum gguf_status check_target(struct writer_shard *s, bool overwrite,
                                     struct gguf_error *err)
{
    struct stat st;
    if (stat(s->path, &st) != 0) {
        if (errno != ENOENT)
            return gguf_fail_errno(err, GGUF_NO_OFFSET, "%s: cannot write there", s->path);
        if (lstat(s->path, &st) != 0)
            return GGUF_OK;
        return gguf_fail(err, GGUF_ERR_ARGUMENT, GGUF_NO_OFFSET,
                         "%s: is a symbolic link to nothing", s->path);
    }
    if (!S_ISREG(st.st_mode))
        return gguf_fail(err, GGUF_ERR_ARGUMENT, GGUF_NO_OFFSET,
                         "%s: is %s; the output must be a regular file", s->path,
                         S_ISDIR(st.st_mode) ? "a folder" : "not a regular file");
    if (!overwrite)
        return gguf_fail(err, GGUF_ERR_EXISTS, GGUF_NO_OFFSET,
                         "%s: exists already, and is not overwritten", s->path);
    return resolve(s, err);
}

static enum gguf_status check_space(struct gguf_writer *w, const char *folder,
                                    struct gguf_error *err)
{
    struct statvfs fs;
    uint64_t needed, available;
    enum gguf_status status = gguf_writer_total_bytes(w, &needed, err);
    if (status)
        return status;
    if (statvfs(folder, &fs) != 0)
        return gguf_fail_errno(err, GGUF_NO_OFFSET, "%s: cannot write into folder %s", w->path,
                               folder);
    /* some network file systems do not know their size */
    if (fs.f_blocks == 0 || !checked_mul(fs.f_bavail, fs.f_frsize, &available) ||
        available >= needed)
        return GGUF_OK;
    return gguf_fail(err, GGUF_ERR_SPACE, GGUF_NO_OFFSET,
                     "%s: not enough space: %llu bytes are needed, %llu are free in %s",
                     w->path, (unsigned long long)needed, (unsigned long long)available,
                     folder);
}

enum gguf_status gguf_writer_check_targets(struct gguf_writer *w, struct gguf_error *err)
{
    enum gguf_status status = GGUF_OK;
    for (size_t i = 0; i < w->n_shards && !status; i++)
        status = check_target(&w->shards[i], w->options.overwrite, err);
    if (status)
        return status;
    char *folder = gguf_folder_of(w->shards[0].path);
    status = folder ? check_space(w, folder, err) : gguf_fail_memory(err);
    free(folder);
    return status;
}

/* ---- Begin ------------------------------------------------------------------------------ */

enum gguf_status gguf_shard_name(struct writer_shard *s, struct gguf_error *err)
{
    if (!s->temp)
        s->temp = gguf_hidden_name(s->path, "tmp");
    if (!s->backup)
        s->backup = gguf_hidden_name(s->path, "old");
    return s->temp && s->backup ? GGUF_OK : gguf_fail_memory(err);
}

/* Without support of the file system the space is simply not reserved. */
static enum gguf_status reserve_space(const struct writer_shard *s, struct gguf_error *err)
{
    int code;
    do {
        code = posix_fallocate(s->fd, 0, (off_t)s->total_bytes);
    } while (code == EINTR);
    if (code == EOPNOTSUPP || code == EINVAL || code == ENOSYS)
        code = ftruncate(s->fd, (off_t)s->total_bytes) ? errno : 0;
    if (code == 0)
        return GGUF_OK;
    errno = code;
    return gguf_fail_errno(err, GGUF_NO_OFFSET, "%s: cannot reserve %llu bytes", s->path,
                           (unsigned long long)s->total_bytes);
}

enum gguf_status gguf_shard_begin(struct writer_shard *s, bool keep_open,
                                  struct gguf_error *err)
{
    s->fd = gguf_hidden_create(s->temp, s->path);
    if (s->fd < 0)
        return gguf_fail_errno(err, GGUF_NO_OFFSET, "%s: cannot create a file there", s->path);
    enum gguf_status status = reserve_space(s, err);
    if (!status)
        status = gguf_write_at(s, 0, s->header.data, s->header.size, err);
    if (!status && !keep_open) {
        int closed = close(s->fd);
        s->fd = -1;
        if (closed != 0)
            status = gguf_fail_errno(err, GGUF_NO_OFFSET, "%s: cannot close", s->path);
    }
    return status;
}

/* ---- Write and sync -------------------------------------------------------------- */

static int open_again(const struct writer_shard *s)
{
    return open(s->temp, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
}

static enum gguf_status write_all(const struct writer_shard *s, int fd, uint64_t offset,
                                  struct gguf_str data, struct gguf_error *err)
{
    for (size_t done = 0; done < data.size;) {
        ssize_t n = pwrite(fd, data.data + done, data.size - done, (off_t)(offset + done));
        if (n < 0 && errno == EINTR)
            continue;
        if (n == 0)
            errno = EIO;
        if (n <= 0)
            return gguf_fail_errno(err, offset + done, "%s: cannot write", s->path);
        done += (size_t)n;
    }
    return GGUF_OK;
}

/* Tells the system to begin bringing the bytes to the disk, every now and then: left to
 * itself it may wait until the final fsync, and then all wait for it. A hint that may fail. */
static void write_back(struct writer_shard *s, uint64_t size)
{
#ifdef SYNC_FILE_RANGE_WRITE
    uint64_t before = atomic_fetch_add(&s->dirty, size);
    if (before / WRITE_BACK != (before + size) / WRITE_BACK)
        (void)sync_file_range(s->fd, 0, 0, SYNC_FILE_RANGE_WRITE);
#else
    (void)s;
    (void)size;
#endif
}

enum gguf_status gguf_write_at(struct writer_shard *s, uint64_t offset, const void *data,
                               size_t size, struct gguf_error *err)
{
    struct gguf_str bytes = {data, size};
    if (s->fd >= 0) {
        enum gguf_status status = write_all(s, s->fd, offset, bytes, err);
        write_back(s, size);
        return status;
    }
    int fd = open_again(s);
    if (fd < 0)
        return gguf_fail_errno(err, offset, "%s: cannot open its temporary file", s->path);
    enum gguf_status status = write_all(s, fd, offset, bytes, err);
    if (close(fd) != 0 && !status)
        status = gguf_fail_errno(err, offset, "%s: cannot close", s->path);
    return status;
}

enum gguf_status gguf_shard_sync(struct writer_shard *s, struct gguf_error *err)
{
    enum gguf_status status = GGUF_OK;
    if (s->fd < 0)
        s->fd = open_again(s);
    if (s->fd < 0)
        return gguf_fail_errno(err, GGUF_NO_OFFSET, "%s: cannot open its temporary file",
                               s->path);
    if (fsync(s->fd) != 0)
        status = gguf_fail_errno(err, GGUF_NO_OFFSET, "%s: cannot write to the disk", s->path);
    int closed = close(s->fd);
    s->fd = -1;
    if (closed != 0 && !status)
        status = gguf_fail_errno(err, GGUF_NO_OFFSET, "%s: cannot close", s->path);
    return status;
}

void gguf_shard_close(struct writer_shard *s)
{
    if (s->fd >= 0)
        close(s->fd);
    s->fd = -1;
}
