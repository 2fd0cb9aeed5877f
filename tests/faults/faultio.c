/*
 * An LD_PRELOAD library that makes one system call fail, or stops the program there.
 *
 *   FAULT_CALL   pwrite, fsync, posix_fallocate, rename, link, close, malloc, calloc or
 *                realloc; calls of it are counted from 1 once the program has been loaded
 *   FAULT_AT     the call that fails; 0 for none
 *   FAULT_ERRNO  the number of the error, as errno counts
 *   FAULT_SLEEP  instead of failing, sleep so many seconds at that call
 *   FAULT_LOG    a file that gets the line "fired" when it happens, and "calls N" at exit
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

static struct {
    const char *call, *log;
    long at, sleep;
    int error;
    bool ready; /* the libraries' own start is not counted */
    atomic_long calls;
} fault;

/* The next function of that name. Converted through memory: ISO C has no cast from an
 * object pointer to a function pointer. */
#define NEXT(type, name)                                                                       \
    static type next;                                                                          \
    if (!next) {                                                                               \
        void *symbol = dlsym(RTLD_NEXT, name);                                                 \
        memcpy(&next, &symbol, sizeof next);                                                   \
    }

typedef int (*close_fn)(int);

/* Only open, write and the real close: nothing here may be a call that is counted. */
static void note(const char *line)
{
    NEXT(close_fn, "close")
    int fd = fault.log ? open(fault.log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666) : -1;
    if (fd < 0)
        return;
    ssize_t written = write(fd, line, strlen(line));
    (void)written;
    next(fd);
}

static long number(const char *name)
{
    const char *text = getenv(name);
    return text ? strtol(text, NULL, 10) : 0;
}

__attribute__((constructor)) static void start(void)
{
    fault.call = getenv("FAULT_CALL");
    fault.log = getenv("FAULT_LOG");
    fault.at = number("FAULT_AT");
    fault.sleep = number("FAULT_SLEEP");
    fault.error = (int)number("FAULT_ERRNO");
    fault.ready = fault.call != NULL;
}

__attribute__((destructor)) static void stop(void)
{
    char line[32];
    bool counted = fault.ready;
    fault.ready = false;
    snprintf(line, sizeof line, "calls %ld\n", atomic_load(&fault.calls));
    if (counted)
        note(line);
}

/* Counts a call; true if this one fails. */
static bool fails(const char *call)
{
    if (!fault.ready || strcmp(call, fault.call) != 0)
        return false;
    if (atomic_fetch_add(&fault.calls, 1) + 1 != fault.at)
        return false;
    note("fired\n");
    if (fault.sleep) {
        struct timespec wait = {.tv_sec = fault.sleep};
        nanosleep(&wait, NULL); /* a signal ends it */
        return false;
    }
    errno = fault.error;
    return true;
}

/* ---- Files. Programs with 64-bit offsets call the names with 64 ---------------------- */

typedef ssize_t (*pwrite_fn)(int, const void *, size_t, off_t);

ssize_t pwrite(int fd, const void *data, size_t size, off_t offset)
{
    NEXT(pwrite_fn, "pwrite")
    return fails("pwrite") ? -1 : next(fd, data, size, offset);
}

typedef ssize_t (*pwrite64_fn)(int, const void *, size_t, off64_t);

ssize_t pwrite64(int fd, const void *data, size_t size, off64_t offset)
{
    NEXT(pwrite64_fn, "pwrite64")
    return fails("pwrite") ? -1 : next(fd, data, size, offset);
}

typedef int (*fallocate_fn)(int, off_t, off_t);

int posix_fallocate(int fd, off_t offset, off_t size)
{
    NEXT(fallocate_fn, "posix_fallocate")
    return fails("posix_fallocate") ? fault.error : next(fd, offset, size);
}

typedef int (*fallocate64_fn)(int, off64_t, off64_t);

int posix_fallocate64(int fd, off64_t offset, off64_t size)
{
    NEXT(fallocate64_fn, "posix_fallocate64")
    return fails("posix_fallocate") ? fault.error : next(fd, offset, size);
}

int fsync(int fd)
{
    NEXT(close_fn, "fsync")
    return fails("fsync") ? -1 : next(fd);
}

/* As on Linux, the descriptor is closed even if the error of a late write is reported. */
int close(int fd)
{
    NEXT(close_fn, "close")
    if (!fails("close"))
        return next(fd);
    int error = errno;
    next(fd);
    errno = error;
    return -1;
}

typedef int (*two_paths_fn)(const char *, const char *);

int rename(const char *from, const char *to)
{
    NEXT(two_paths_fn, "rename")
    return fails("rename") ? -1 : next(from, to);
}

int link(const char *from, const char *to)
{
    NEXT(two_paths_fn, "link")
    return fails("link") ? -1 : next(from, to);
}

/* ---- Memory. dlsym may allocate before it can be asked for malloc --------------------- */

static struct {
    _Alignas(max_align_t) unsigned char bytes[1 << 14];
    size_t used;
} early;

static void *early_block(size_t size)
{
    size_t rounded = (size + 15) / 16 * 16;
    if (size > sizeof early.bytes || rounded > sizeof early.bytes - early.used)
        return NULL;
    void *block = early.bytes + early.used; /* zero: it is given out once */
    early.used += rounded;
    return block;
}

static bool is_early(const void *block)
{
    const unsigned char *p = block;
    return p >= early.bytes && p < early.bytes + sizeof early.bytes;
}

typedef void *(*malloc_fn)(size_t);
typedef void *(*calloc_fn)(size_t, size_t);
typedef void *(*realloc_fn)(void *, size_t);
typedef void (*free_fn)(void *);

static struct {
    malloc_fn malloc;
    calloc_fn calloc;
    realloc_fn realloc;
    free_fn free;
    bool busy, known;
} heap;

static void find(void *function, const char *name)
{
    void *symbol = dlsym(RTLD_NEXT, name);
    memcpy(function, &symbol, sizeof symbol);
}

/* False while dlsym itself asks for memory. */
static bool heap_known(void)
{
    if (!heap.known && !heap.busy) {
        heap.busy = true;
        find(&heap.malloc, "malloc");
        find(&heap.calloc, "calloc");
        find(&heap.realloc, "realloc");
        find(&heap.free, "free");
        heap.busy = false;
        heap.known = true;
    }
    return heap.known;
}

void *malloc(size_t size)
{
    if (!heap_known())
        return early_block(size);
    return fails("malloc") ? NULL : heap.malloc(size);
}

void *calloc(size_t count, size_t size)
{
    if (!heap_known())
        return size && count > sizeof early.bytes / size ? NULL : early_block(count * size);
    return fails("calloc") ? NULL : heap.calloc(count, size);
}

void *realloc(void *old, size_t size)
{
    if (!is_early(old))
        return !heap_known()      ? early_block(size)
               : fails("realloc") ? NULL
                                  : heap.realloc(old, size);
    void *block = malloc(size);
    size_t rest = (size_t)(early.bytes + sizeof early.bytes - (unsigned char *)old);
    if (block)
        memcpy(block, old, size < rest ? size : rest);
    return block;
}

void free(void *block)
{
    if (block && !is_early(block) && heap_known())
        heap.free(block);
}
