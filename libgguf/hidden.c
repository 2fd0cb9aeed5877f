/* Files that are written under a hidden name in the folder of their target. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "libgguf/writer.h"

/* How much of the target's name goes into the hidden one, so that a name of the greatest
 * length (255 bytes) leaves room for the rest. */
#define NAME_PART 180

char *gguf_hidden_name(const char *path, const char *suffix)
{
    struct timespec now;
    int folder = (int)gguf_folder_size(path);
    size_t size = strlen(path) + strlen(suffix) + 64;
    char *name = malloc(size);
    clock_gettime(CLOCK_REALTIME, &now);
    if (name)
        snprintf(name, size, "%.*s.%.*s.%ld-%lld%09ld.%s", folder, path, NAME_PART,
                 path + folder, (long)getpid(), (long long)now.tv_sec, now.tv_nsec, suffix);
    return name;
}

/* A replaced file's mode is kept; until it is set, nobody else can read. */
int gguf_hidden_create(const char *name, const char *path)
{
    struct stat old;
    bool replaces = stat(path, &old) == 0;
    int flags = O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW;
    int fd = open(name, flags, replaces ? 0600 : 0666);
    if (fd < 0 || !replaces || fchmod(fd, old.st_mode & 0777) == 0)
        return fd;
    int code = errno;
    close(fd);
    unlink(name);
    errno = code;
    return -1;
}

/* A folder that may not be read, or a file system that does not sync folders, is no error:
 * nothing more can be done there. */
int gguf_folder_sync(const char *folder)
{
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return errno == EACCES ? 0 : -1;
    int rc = fsync(fd);
    int code = errno;
    if (rc != 0 && code == EINVAL)
        rc = 0;
    if (close(fd) != 0 && rc == 0)
        return -1;
    errno = code;
    return rc;
}

int gguf_hidden_place(const char *name, const char *path)
{
    if (rename(name, path) != 0)
        return -1;
    char *folder = gguf_folder_of(path);
    int rc = folder ? gguf_folder_sync(folder) : -1, code = errno;
    free(folder);
    errno = code;
    return rc;
}
