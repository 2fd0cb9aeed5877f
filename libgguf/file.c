/* Regular files, read by position. */
#include "libgguf/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* O_NONBLOCK: opening a pipe that nobody writes must not hang before it is refused. */
enum gguf_status gguf_source_open(struct gguf_source *source, const char *path,
                                  struct gguf_error *err)
{
    struct stat st;
    *source = (struct gguf_source){.fd = -1, .name = path};
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return gguf_fail_errno(err, GGUF_NO_OFFSET, "%s: cannot open", path);
    enum gguf_status status = GGUF_OK;
    if (fstat(fd, &st) != 0)
        status = gguf_fail_errno(err, GGUF_NO_OFFSET, "%s: cannot read", path);
    else if (S_ISDIR(st.st_mode))
        status = gguf_fail(err, GGUF_ERR_NOT_GGUF, GGUF_NO_OFFSET,
                           "%s: is a folder; name a file in it", path);
    else if (!S_ISREG(st.st_mode))
        status = gguf_fail(err, GGUF_ERR_NOT_GGUF, GGUF_NO_OFFSET,
                           "%s: is not a regular file; only regular files are read", path);
    if (status) {
        close(fd);
        return status;
    }
    source->fd = fd;
    source->size = (uint64_t)st.st_size;
    return GGUF_OK;
}

void gguf_source_close(struct gguf_source *source)
{
    if (source->fd < 0)
        return;
    if (source->memory)
        munmap((void *)(uintptr_t)source->memory, (size_t)source->size);
    close(source->fd);
    source->fd = -1;
}

static enum gguf_status fail_short(const struct gguf_source *source, uint64_t offset,
                                   struct gguf_error *err)
{
    return gguf_fail(err, GGUF_ERR_TRUNCATED, offset,
                     "%s: the file ends at byte %llu while it is read; did it shrink?",
                     source->name, (unsigned long long)offset);
}

/* A mapped file is read by pread as well: a file that shrinks is then an error and not a
 * SIGBUS. */
enum gguf_status gguf_source_read(const struct gguf_source *source, uint64_t offset, void *out,
                                  size_t size, struct gguf_error *err)
{
    if (offset > source->size || size > source->size - offset)
        return fail_short(source, source->size, err);
    if (source->fd < 0) {
        if (size)
            memcpy(out, source->memory + offset, size);
        return GGUF_OK;
    }
    for (size_t done = 0; done < size;) {
        ssize_t n = pread(source->fd, (char *)out + done, size - done, (off_t)(offset + done));
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

enum gguf_status gguf_source_map(struct gguf_source *source, struct gguf_error *err)
{
    if (source->fd < 0 || source->size == 0)
        return GGUF_OK;
    void *map = mmap(NULL, (size_t)source->size, PROT_READ, MAP_SHARED, source->fd, 0);
    if (map == MAP_FAILED)
        return gguf_fail_errno(err, GGUF_NO_OFFSET, "%s: cannot map", source->name);
    source->memory = map;
    return GGUF_OK;
}
