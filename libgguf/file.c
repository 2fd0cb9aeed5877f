/* Regular files, read by position. */
#include "libgguf/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* The descriptor of a regular file, or -1 with its status in *status. O_NONBLOCK: opening a
 * pipe that nobody writes must not hang before it is refused. */
static int open_regular(const char *path, struct stat *st, enum gguf_status *status,
                        struct gguf_error *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0) {
        *status = gguf_fail_errno(err, GGUF_NO_OFFSET, "%s: cannot open", path);
        return -1;
    }
    *status = GGUF_OK;
    if (fstat(fd, st) != 0)
        *status = gguf_fail_errno(err, GGUF_NO_OFFSET, "%s: cannot read", path);
    else if (S_ISDIR(st->st_mode))
        *status = gguf_fail(err, GGUF_ERR_NOT_GGUF, GGUF_NO_OFFSET,
                            "%s: is a folder; name a file in it", path);
    else if (!S_ISREG(st->st_mode))
        *status = gguf_fail(err, GGUF_ERR_NOT_GGUF, GGUF_NO_OFFSET,
                            "%s: is not a regular file; only regular files are read", path);
    if (!*status)
        return fd;
    close(fd);
    return -1;
}

enum gguf_status gguf_source_open(struct gguf_source *source, const char *path,
                                  struct gguf_error *err)
{
    struct stat st = {0};
    enum gguf_status status;
    *source = (struct gguf_source){.is_file = true, .fd = -1, .name = path};
    source->fd = open_regular(path, &st, &status, err);
    if (!status) {
        source->size = (uint64_t)st.st_size;
        source->device = (uint64_t)st.st_dev;
        source->inode = (uint64_t)st.st_ino;
    }
    return status;
}

void gguf_source_set_aside(struct gguf_source *source)
{
    if (source->fd >= 0)
        close(source->fd);
    source->fd = -1;
}

void gguf_source_close(struct gguf_source *source)
{
    if (source->is_file && source->memory)
        munmap((void *)(uintptr_t)source->memory, (size_t)source->size);
    source->memory = NULL;
    gguf_source_set_aside(source);
}

/* The open descriptor, or for a file that was set aside a new one, given back with
 * return_fd. -1 with the status in *status. */
static int borrow_fd(const struct gguf_source *source, enum gguf_status *status,
                     struct gguf_error *err)
{
    struct stat st = {0};
    *status = GGUF_OK;
    if (source->fd >= 0)
        return source->fd;
    int fd = open_regular(source->name, &st, status, err);
    if (fd < 0 ||
        ((uint64_t)st.st_dev == source->device && (uint64_t)st.st_ino == source->inode))
        return fd;
    close(fd);
    *status = gguf_fail(err, GGUF_ERR_IO, GGUF_NO_OFFSET,
                        "%s: is another file than the one that was opened", source->name);
    return -1;
}

static void return_fd(const struct gguf_source *source, int fd)
{
    if (fd >= 0 && fd != source->fd)
        close(fd);
}

static enum gguf_status fail_short(const struct gguf_source *source, uint64_t offset,
                                   struct gguf_error *err)
{
    return gguf_fail(err, GGUF_ERR_TRUNCATED, offset,
                     "%s: the file ends at byte %llu while it is read; did it shrink?",
                     source->name, (unsigned long long)offset);
}

static enum gguf_status read_fd(const struct gguf_source *source, int fd, uint64_t offset,
                                void *out, size_t size, struct gguf_error *err)
{
    for (size_t done = 0; done < size;) {
        ssize_t n = pread(fd, (char *)out + done, size - done, (off_t)(offset + done));
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return gguf_fail_errno(err, offset + done, "%s: cannot read", source->name);
        if (n == 0)
            return fail_short(source, offset + done, err);
        done += (size_t)n;
    }
    return GGUF_OK;
}

/* A mapped file is read by pread as well: a file that shrinks is then an error and not a
 * SIGBUS. */
enum gguf_status gguf_source_read(const struct gguf_source *source, uint64_t offset, void *out,
                                  size_t size, struct gguf_error *err)
{
    enum gguf_status status;
    if (offset > source->size || size > source->size - offset)
        return fail_short(source, source->size, err);
    if (!source->is_file) {
        if (size)
            memcpy(out, source->memory + offset, size);
        return GGUF_OK;
    }
    int fd = borrow_fd(source, &status, err);
    if (!status)
        status = read_fd(source, fd, offset, out, size, err);
    return_fd(source, fd);
    return status;
}

enum gguf_status gguf_source_map(struct gguf_source *source, struct gguf_error *err)
{
    enum gguf_status status;
    if (!source->is_file || source->size == 0)
        return GGUF_OK;
    int fd = borrow_fd(source, &status, err);
    if (status)
        return status;
    void *map = mmap(NULL, (size_t)source->size, PROT_READ, MAP_SHARED, fd, 0);
    if (map == MAP_FAILED)
        status = gguf_fail_errno(err, GGUF_NO_OFFSET, "%s: cannot map", source->name);
    else
        source->memory = map;
    return_fd(source, fd);
    return status;
}
