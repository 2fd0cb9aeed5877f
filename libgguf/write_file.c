/*
 * Output that is complete or absent: a temporary file in the target's folder, and a rename
 * once everything is on the disk.
 */
#define _XOPEN_SOURCE 700 /* for realpath */

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

/* The folder of a path: "." where it names none. NULL without memory. */
static char *folder_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    if (!slash)
        return strdup(".");
    return strndup(path, slash == path ? 1 : (size_t)(slash - path));
}

/* ---- Space --------------------------------------------------------------------------------
 */

enum gguf_status gguf_check_space(const struct gguf_writer *writer, struct gguf_error *err)
{
    struct statvfs fs;
    uint64_t needed = 0, available;
    for (size_t i = 0; i < writer->n_shards; i++)
        needed += writer->shards[i].total_bytes;
    char *folder = folder_of(writer->path);
    if (!folder)
        return gguf_fail_memory(err);
    int rc = statvfs(folder, &fs);
    enum gguf_status status = GGUF_OK;
    if (rc != 0)
        status = gguf_fail_errno(err, GGUF_NO_OFFSET, "%s: cannot write into folder %s",
                                 writer->path, folder);
    else if (checked_mul(fs.f_bavail, fs.f_frsize, &available) && available < needed)
        status = gguf_fail(err, GGUF_ERR_SPACE, GGUF_NO_OFFSET,
                           "%s: not enough space: %llu bytes are needed, %llu are free in %s",
                           writer->path, (unsigned long long)needed,
                           (unsigned long long)available, folder);
    free(folder);
    return status;
}

/* Without support of the file system the space is simply not reserved. */
static enum gguf_status reserve_space(const struct writer_shard *s, struct gguf_error *err)
{
    int code = posix_fallocate(s->fd, 0, (off_t)s->total_bytes);
    if (code == EOPNOTSUPP || code == EINVAL || code == ENOSYS)
        code = ftruncate(s->fd, (off_t)s->total_bytes) ? errno : 0;
    if (code == 0)
        return GGUF_OK;
    errno = code;
    return gguf_fail_errno(err, GGUF_NO_OFFSET, "%s: cannot reserve %llu bytes", s->path,
                           (unsigned long long)s->total_bytes);
}

/* ---- Begin
 * ------------------------------------------------------------------------------------ */

/* What is at the target now. A link is followed, so that it stays a link. */
static enum gguf_status check_target(struct writer_shard *s, bool overwrite,
                                     struct gguf_error *err)
{
    struct stat st;
    if (stat(s->path, &st) != 0) {
        if (errno == ENOENT && lstat(s->path, &st) != 0)
            return GGUF_OK;
        return gguf_fail_errno(err, GGUF_NO_OFFSET, "%s: cannot write there", s->path);
    }
    if (!S_ISREG(st.st_mode))
        return gguf_fail(err, GGUF_ERR_ARGUMENT, GGUF_NO_OFFSET,
                         "%s: is %s; the output must be a regular file", s->path,
                         S_ISDIR(st.st_mode) ? "a folder" : "not a regular file");
    if (!overwrite)
        return gguf_fail(err, GGUF_ERR_EXISTS, GGUF_NO_OFFSET,
                         "%s: exists already, and is not overwritten", s->path);
    char *real = realpath(s->path, NULL);
    if (!real)
        return gguf_fail_errno(err, GGUF_NO_OFFSET, "%s: cannot resolve", s->path);
    free(s->path);
    s->path = real;
    s->replaces = true;
    s->mode = st.st_mode & 07777;
    return GGUF_OK;
}

/* Opens a new hidden file beside the target: ".NAME.PID-N.tmp". */
static enum gguf_status open_temp(struct writer_shard *s, struct gguf_error *err)
{
    const char *slash = strrchr(s->path, '/');
    int folder = slash ? (int)(slash - s->path) + 1 : 0;
    size_t size = strlen(s->path) + 48;
    s->temp = malloc(size);
    if (!s->temp)
        return gguf_fail_memory(err);
    for (unsigned n = 0; n < 1000 && s->fd < 0; n++) {
        snprintf(s->temp, size, "%.*s.%s.%ld-%u.tmp", folder, s->path, s->path + folder,
                 (long)getpid(), n);
        s->fd = open(s->temp, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0666);
        if (s->fd < 0 && errno != EEXIST)
            break;
    }
    if (s->fd >= 0)
        return GGUF_OK;
    enum gguf_status status =
        gguf_fail_errno(err, GGUF_NO_OFFSET, "%s: cannot create a file there", s->path);
    free(s->temp);
    s->temp = NULL;
    return status;
}

enum gguf_status gguf_write_at(const struct writer_shard *shard, uint64_t offset,
                               const void *data, size_t size, struct gguf_error *err)
{
    for (size_t done = 0; done < size;) {
        ssize_t n =
            pwrite(shard->fd, (const char *)data + done, size - done, (off_t)(offset + done));
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) {
            if (n == 0)
                errno = EIO;
            return gguf_fail_errno(err, offset + done, "%s: cannot write", shard->path);
        }
        done += (size_t)n;
    }
    return GGUF_OK;
}

enum gguf_status gguf_shard_begin(struct writer_shard *s, bool overwrite,
                                  struct gguf_error *err)
{
    enum gguf_status status = check_target(s, overwrite, err);
    if (!status)
        status = open_temp(s, err);
    if (!status && s->replaces && fchmod(s->fd, s->mode) != 0)
        status = gguf_fail_errno(err, GGUF_NO_OFFSET, "%s: cannot set its mode", s->path);
    if (!status)
        status = reserve_space(s, err);
    if (!status)
        status = gguf_write_at(s, 0, s->header.data, s->header.size, err);
    return status;
}

/* ---- Finish
 * ------------------------------------------------------------------------------------- */

enum gguf_status gguf_shard_sync(struct writer_shard *s, struct gguf_error *err)
{
    enum gguf_status status = GGUF_OK;
    if (fsync(s->fd) != 0)
        status = gguf_fail_errno(err, GGUF_NO_OFFSET, "%s: cannot write to the disk", s->path);
    int closed = close(s->fd);
    s->fd = -1;
    if (closed != 0 && !status)
        status = gguf_fail_errno(err, GGUF_NO_OFFSET, "%s: cannot close", s->path);
    return status;
}

static enum gguf_status sync_folder(const char *path, struct gguf_error *err)
{
    char *folder = folder_of(path);
    if (!folder)
        return gguf_fail_memory(err);
    enum gguf_status status = GGUF_OK;
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || (fsync(fd) != 0 && errno != EINVAL))
        status = gguf_fail_errno(err, GGUF_NO_OFFSET, "%s: cannot write folder %s to the disk",
                                 path, folder);
    if (fd >= 0)
        close(fd);
    free(folder);
    return status;
}

/* A target that appeared meanwhile is not destroyed: a hard link fails where a rename
 * would replace. Where there are no hard links, a look must do. */
static int place_new(const char *temp, const char *path)
{
    struct stat st;
    if (link(temp, path) == 0)
        return unlink(temp);
    if (errno == EEXIST)
        return -1;
    if (lstat(path, &st) == 0) {
        errno = EEXIST;
        return -1;
    }
    return rename(temp, path);
}

enum gguf_status gguf_shard_place(struct writer_shard *s, bool overwrite,
                                  struct gguf_error *err)
{
    int rc = overwrite ? rename(s->temp, s->path) : place_new(s->temp, s->path);
    if (rc != 0 && errno == EEXIST)
        return gguf_fail(err, GGUF_ERR_EXISTS, GGUF_NO_OFFSET,
                         "%s: appeared while it was being made, and is not overwritten",
                         s->path);
    if (rc != 0)
        return gguf_fail_errno(err, GGUF_NO_OFFSET, "%s: cannot rename the finished file",
                               s->path);
    s->placed = true;
    return sync_folder(s->path, err);
}

void gguf_shard_discard(struct writer_shard *s)
{
    if (s->fd >= 0)
        close(s->fd);
    if (s->temp && !s->placed)
        unlink(s->temp);
    free(s->temp);
    free(s->path);
    free(s->header.data);
}
