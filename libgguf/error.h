/* How the floors of the library fill a struct gguf_error: for libgguf and quant. */
#ifndef LIBGGUF_ERROR_H
#define LIBGGUF_ERROR_H

#include "libgguf/gguf.h"

#if defined(__GNUC__)
#define GGUF_PRINTF(fmt_arg, first_arg) __attribute__((format(printf, fmt_arg, first_arg)))
#else
#define GGUF_PRINTF(fmt_arg, first_arg)
#endif

/* Fills `err` (may be NULL) and returns `status`. Arguments may come from the file as
 * they are: control characters in the finished message are escaped. */
enum gguf_status gguf_fail(struct gguf_error *err, enum gguf_status status, uint64_t offset,
                           const char *format, ...) GGUF_PRINTF(4, 5);

/* The same for a failed system call: appends the text of errno, and its status is
 * GGUF_ERR_MEMORY for ENOMEM, GGUF_ERR_SPACE for ENOSPC and EDQUOT, else GGUF_ERR_IO. */
enum gguf_status gguf_fail_errno(struct gguf_error *err, uint64_t offset, const char *format,
                                 ...) GGUF_PRINTF(3, 4);

enum gguf_status gguf_fail_memory(struct gguf_error *err);

/* A string of the file for "%s" in a message: escaped and shortened into `text`. */
struct gguf_text {
    char text[160];
};
struct gguf_text gguf_text(struct gguf_str s);

#endif
