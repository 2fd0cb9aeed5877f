/*
 * A library to preload (Linux, glibc): lets one kind of call fail.
 *
 *   FAULT_CALL    write, pwrite, pread, fsync, fallocate, rename, link, close or malloc
 *                 (calloc and realloc count with it)
 *   FAULT_AT      the number of the call that fails, from 1
 *   FAULT_ERRNO   ENOSPC, EIO, EDQUOT or ENOMEM
 *   FAULT_ON      if set, every later call fails as well
 *   FAULT_MARK    a file that is created when the fault strikes, so that a caller can tell
 *                 a run that survived it from a run that had no such call
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *old, size_t size);

static const struct {
    const char *name;
    int code;
} codes[] = {{"ENOSPC", ENOSPC}, {"EIO", EIO}, {"EDQUOT", EDQUOT}, {"ENOMEM", ENOMEM}};

static int fault_code(void)
{
    const char *name = getenv("FAULT_ERRNO");
    for (size_t i = 0; name && i < sizeof codes / sizeof codes[0]; i++) {
        if (strcmp(codes[i].name, name) == 0)
            return codes[i].code;
    }
    return EIO;
}

/* By system calls, which nobody has replaced. */
static void leave_mark(void)
{
    const char *mark = getenv("FAULT_MARK");
    if (!mark)
        return;
    long fd = syscall(SYS_openat, AT_FDCWD, mark, O_WRONLY | O_CREAT, 0666);
    if (fd >= 0)
        syscall(SYS_close, fd);
}

/* Counts a call; true, with errno set, if it is to fail. */
static int strikes(const char *call)
{
    static atomic_long calls;
    const char *wanted = getenv("FAULT_CALL"), *at = getenv("FAULT_AT");
    if (!wanted || !at || strcmp(wanted, call) != 0)
        return 0;
    long n = atomic_fetch_add(&calls, 1) + 1, first = strtol(at, NULL, 10);
    if (n != first && !(getenv("FAULT_ON") && n > first))
        return 0;
    leave_mark();
    errno = fault_code();
    return 1;
}

/* Stores the function that this library hides; ISO C has no cast for it. */
#define HIDDEN(function, name)                                                                 \
    do {                                                                                       \
        void *found = dlsym(RTLD_NEXT, name);                                                  \
        memcpy(&(function), &found, sizeof found);                                             \
    } while (0)

ssize_t write(int fd, const void *data, size_t size)
{
    ssize_t (*real)(int, const void *, size_t);
    if (strikes("write"))
        return -1;
    HIDDEN(real, "write");
    return real(fd, data, size);
}

ssize_t pwrite64(int fd, const void *data, size_t size, off64_t offset)
{
    ssize_t (*real)(int, const void *, size_t, off64_t);
    if (strikes("pwrite"))
        return -1;
    HIDDEN(real, "pwrite64");
    return real(fd, data, size, offset);
}

ssize_t pwrite(int fd, const void *data, size_t size, off_t offset)
{
    return pwrite64(fd, data, size, offset);
}

ssize_t pread64(int fd, void *data, size_t size, off64_t offset)
{
    ssize_t (*real)(int, void *, size_t, off64_t);
    if (strikes("pread"))
        return -1;
    HIDDEN(real, "pread64");
    return real(fd, data, size, offset);
}

ssize_t pread(int fd, void *data, size_t size, off_t offset)
{
    return pread64(fd, data, size, offset);
}

int fsync(int fd)
{
    int (*real)(int);
    if (strikes("fsync"))
        return -1;
    HIDDEN(real, "fsync");
    return real(fd);
}

int posix_fallocate64(int fd, off64_t offset, off64_t size)
{
    int (*real)(int, off64_t, off64_t);
    if (strikes("fallocate"))
        return errno;
    HIDDEN(real, "posix_fallocate64");
    return real(fd, offset, size);
}

int posix_fallocate(int fd, off_t offset, off_t size)
{
    return posix_fallocate64(fd, offset, size);
}

int rename(const char *from, const char *to)
{
    int (*real)(const char *, const char *);
    if (strikes("rename"))
        return -1;
    HIDDEN(real, "rename");
    return real(from, to);
}

int link(const char *from, const char *to)
{
    int (*real)(const char *, const char *);
    if (strikes("link"))
        return -1;
    HIDDEN(real, "link");
    return real(from, to);
}

/* As in the kernel: the descriptor is gone even where close reports an error. */
int close(int fd)
{
    int (*real)(int);
    int fails = strikes("close"), code = errno;
    HIDDEN(real, "close");
    int rc = real(fd);
    if (!fails)
        return rc;
    errno = code;
    return -1;
}

void *malloc(size_t size)
{
    return strikes("malloc") ? NULL : __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
    return strikes("malloc") ? NULL : __libc_calloc(count, size);
}

void *realloc(void *old, size_t size)
{
    return strikes("malloc") ? NULL : __libc_realloc(old, size);
}
