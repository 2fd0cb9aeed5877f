/* Names of the status codes. */
#include "libgguf/gguf.h"

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
