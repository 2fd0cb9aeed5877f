/* Status names, and messages that are safe to print whatever the file holds. */
#include "libgguf/internal.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const char *gguf_status_name(enum gguf_status status)
{
    static const char *const names[] = {
        [GGUF_OK] = "ok",
        [GGUF_ERR_IO] = "input/output error",
        [GGUF_ERR_MEMORY] = "out of memory",
        [GGUF_ERR_NOT_GGUF] = "not a GGUF file",
        [GGUF_ERR_VERSION] = "unknown version",
        [GGUF_ERR_TRUNCATED] = "truncated",
        [GGUF_ERR_CORRUPT] = "corrupt",
        [GGUF_ERR_UNSUPPORTED] = "unsupported",
        [GGUF_ERR_SHARDS] = "incomplete shard set",
        [GGUF_ERR_ARGUMENT] = "invalid argument",
        [GGUF_ERR_EXISTS] = "exists",
        [GGUF_ERR_SPACE] = "no space",
        [GGUF_ERR_DATA] = "invalid data",
        [GGUF_ERR_CANCELLED] = "cancelled",
    };
    unsigned i = (unsigned)status;
    return i < sizeof names / sizeof names[0] ? names[i] : "unknown status";
}

static void set_message(struct gguf_error *err, const char *format, va_list args)
{
    char raw[sizeof err->message];
    int n = vsnprintf(raw, sizeof raw, format, args);
    size_t size = n < 0 ? 0 : (size_t)n;
    if (size >= sizeof raw)
        size = sizeof raw - 1;
    gguf_str_escape(err->message, sizeof err->message, (struct gguf_str){raw, size});
}

enum gguf_status gguf_fail(struct gguf_error *err, enum gguf_status status, uint64_t offset,
                           const char *format, ...)
{
    if (err) {
        err->status = status;
        err->system_errno = 0;
        err->offset = offset;
        va_list args;
        va_start(args, format);
        set_message(err, format, args);
        va_end(args);
    }
    return status;
}

static enum gguf_status status_of_errno(int code)
{
    switch (code) {
    case ENOMEM:
        return GGUF_ERR_MEMORY;
    case ENOSPC:
    case EDQUOT:
        return GGUF_ERR_SPACE;
    default:
        return GGUF_ERR_IO;
    }
}

enum gguf_status gguf_fail_errno(struct gguf_error *err, uint64_t offset, const char *format,
                                 ...)
{
    int code = errno;
    if (err) {
        err->status = status_of_errno(code);
        err->system_errno = code;
        err->offset = offset;
        va_list args;
        va_start(args, format);
        set_message(err, format, args);
        va_end(args);
        size_t used = strlen(err->message);
        char reason[128] = "";
        if (strerror_r(code, reason, sizeof reason) != 0)
            snprintf(reason, sizeof reason, "error %d", code);
        snprintf(err->message + used, sizeof err->message - used, ": %s", reason);
    }
    return status_of_errno(code);
}

enum gguf_status gguf_fail_memory(struct gguf_error *err)
{
    return gguf_fail(err, GGUF_ERR_MEMORY, GGUF_NO_OFFSET, "out of memory");
}

struct gguf_text gguf_text(struct gguf_str s)
{
    struct gguf_text t = {""};
    gguf_str_escape(t.text, sizeof t.text, s);
    return t;
}
