/*
 * libgguf: read and write GGUF model files.
 *
 * Conventions, for the whole header:
 *
 *  - A function that can fail returns enum gguf_status and takes a caller-owned
 *    struct gguf_error (may be NULL) that is filled with the details.
 *  - A file is validated once, when it is opened. After that no getter fails for
 *    the file's fault; a getter that answers "no" (wrong type, no such key) says
 *    so by its return value and leaves its output untouched.
 *  - Opaque objects are freed by the function named beside their constructor;
 *    every free function accepts NULL.
 *  - No function prints, exits, or keeps mutable global state. One open model may
 *    be read by several threads at once; one writer belongs to one thread except
 *    where stated.
 *  - Strings in a file may hold NUL and invalid UTF-8: they are pointer and length.
 */
#ifndef GGUF_H
#define GGUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define GGUFKIT_VERSION "0.1.0"

/* ---- Limits ---------------------------------------------------------------- */

#define GGUF_MAX_DIMS       4          /* dimensions of a tensor */
#define GGUF_MAX_DEPTH      4          /* nesting of arrays in metadata */
#define GGUF_MAX_ALIGNMENT  (1u << 20) /* general.alignment, a power of two */
#define GGUF_MAX_KEY        65535      /* bytes of a key */
#define GGUF_MAX_NAME       127        /* bytes of a tensor name when read */
#define GGUF_MAX_NAME_WRITE 63         /* and when written: what every engine takes */
#define GGUF_MAX_SHARDS     65534      /* files of one model */

/* ---- Status and errors ------------------------------------------------------- */

/* The numbers are part of the interface and never change. */
enum gguf_status {
    GGUF_OK = 0,
    GGUF_ERR_IO = 1,          /* the system refused: see gguf_error.system_errno */
    GGUF_ERR_MEMORY = 2,      /* out of memory */
    GGUF_ERR_NOT_GGUF = 3,    /* the file is something else (HTML, LFS pointer, ...) */
    GGUF_ERR_VERSION = 4,     /* a GGUF version that does not exist */
    GGUF_ERR_TRUNCATED = 5,   /* the file ends before what it announces */
    GGUF_ERR_CORRUPT = 6,     /* contradicts the format */
    GGUF_ERR_UNSUPPORTED = 7, /* well-formed, and not readable here */
    GGUF_ERR_SHARDS = 8,      /* a shard is missing or belongs to another model */
    GGUF_ERR_ARGUMENT = 9,    /* the caller's mistake */
    GGUF_ERR_EXISTS = 10,     /* the output exists, or is an input */
    GGUF_ERR_SPACE = 11,      /* not enough free space, known before writing */
    GGUF_ERR_DATA = 12,       /* NaN, infinity or impossible values in tensor data */
    GGUF_ERR_CANCELLED = 13   /* stopped by the caller's request */
};

#define GGUF_NO_OFFSET UINT64_MAX

/* Details of the last failure. `message` is one line of UTF-8 without control
 * characters, whatever the file holds. */
struct gguf_error {
    enum gguf_status status;
    int system_errno; /* 0 where the system is not involved */
    uint64_t offset;  /* byte offset in the file, or GGUF_NO_OFFSET */
    char message[1024];
};

/* A short name such as "truncated"; never NULL. */
const char *gguf_status_name(enum gguf_status status);

/* ---- Strings ------------------------------------------------------------------ */

/* Bytes that belong to somebody else: not terminated, any content. */
struct gguf_str {
    const char *data;
    size_t size;
};

bool gguf_str_equal(struct gguf_str a, const char *b);

/* Copies `s` into `out` (terminated, at most `out_size` bytes) as printable UTF-8:
 * C0, DEL, C1 and bidi controls and invalid bytes become \n, \t, \xNN or \u{NNNN},
 * a backslash stays. What does not fit ends in "...". Returns the bytes written
 * without the terminator. */
size_t gguf_str_escape(char *out, size_t out_size, struct gguf_str s);

/* ---- Tensor types ---------------------------------------------------------------- */

/* The ids of the format. An id read from a file may have any other value. */
enum gguf_type {
    GGUF_F32 = 0,
    GGUF_F16 = 1,
    GGUF_Q4_0 = 2,
    GGUF_Q4_1 = 3,
    GGUF_Q5_0 = 6,
    GGUF_Q5_1 = 7,
    GGUF_Q8_0 = 8,
    GGUF_Q8_1 = 9,
    GGUF_Q2_K = 10,
    GGUF_Q3_K = 11,
    GGUF_Q4_K = 12,
    GGUF_Q5_K = 13,
    GGUF_Q6_K = 14,
    GGUF_Q8_K = 15,
    GGUF_IQ2_XXS = 16,
    GGUF_IQ2_XS = 17,
    GGUF_IQ3_XXS = 18,
    GGUF_IQ1_S = 19,
    GGUF_IQ4_NL = 20,
    GGUF_IQ3_S = 21,
    GGUF_IQ2_S = 22,
    GGUF_IQ4_XS = 23,
    GGUF_I8 = 24,
    GGUF_I16 = 25,
    GGUF_I32 = 26,
    GGUF_I64 = 27,
    GGUF_F64 = 28,
    GGUF_IQ1_M = 29,
    GGUF_BF16 = 30,
    GGUF_TQ1_0 = 34,
    GGUF_TQ2_0 = 35,
    GGUF_MXFP4 = 39,
    GGUF_NVFP4 = 40,
    GGUF_Q1_0 = 41,
    GGUF_Q2_0 = 42
};

enum gguf_type_origin {
    GGUF_TYPE_CURRENT, /* in the format today */
    GGUF_TYPE_REMOVED, /* was in the format; no engine reads it any more */
    GGUF_TYPE_FORK     /* private to a fork: named, never decoded */
};

/* Fields wider than a byte inside a block: what changes between byte orders. */
struct gguf_field {
    uint8_t offset; /* bytes from the start of the block */
    uint8_t width;  /* 2, 4 or 8 */
    uint8_t count;  /* consecutive fields */
};

/* One row of the type table. */
struct gguf_type_info {
    uint32_t id;
    const char *name;           /* as the field writes it: "Q4_K", "IQ2_XXS" */
    enum gguf_type_origin origin;
    uint16_t block_elements;    /* elements of a block; 0 where the size is not known */
    uint16_t block_bytes;       /* bytes of a block */
    struct gguf_field fields[2]; /* width 0 ends the list */
};

/* The row of a type id, or NULL for an id that nobody has used. */
const struct gguf_type_info *gguf_type_find(uint32_t id);

/* The row of a current type by name, case ignored; NULL if there is none. */
const struct gguf_type_info *gguf_type_by_name(const char *name);

/* Row by position, NULL past the end: to list all types that are known. */
const struct gguf_type_info *gguf_type_at(size_t index);

/* Bytes of `elements` consecutive elements. False (and *bytes untouched) if the
 * size of the type is not known, if the elements are no whole number of blocks, or
 * if the product does not fit 63 bits. */
bool gguf_type_bytes(uint32_t type, uint64_t elements, uint64_t *bytes);

/* Swaps the byte order of `bytes` bytes of whole blocks in place. */
void gguf_type_swap(uint32_t type, void *data, size_t bytes);

#ifdef __cplusplus
}
#endif
#endif
