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
#if defined(__GNUC__) /* the library hides everything else */
#pragma GCC visibility push(default)
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
/* Below, at or above 0 as `a` comes before `b`, is equal or comes after: bytewise, of two that
 * agree the shorter first. `data` may be NULL where the size is 0. */
int gguf_str_compare(struct gguf_str a, struct gguf_str b);

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
    const char *name; /* as the field writes it: "Q4_K", "IQ2_XXS" */
    enum gguf_type_origin origin;
    uint16_t block_elements;     /* elements of a block; 0 where the size is not known */
    uint16_t block_bytes;        /* bytes of a block */
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

/* ---- Metadata values ------------------------------------------------------------ */

enum gguf_value_type {
    GGUF_VALUE_U8 = 0,
    GGUF_VALUE_I8 = 1,
    GGUF_VALUE_U16 = 2,
    GGUF_VALUE_I16 = 3,
    GGUF_VALUE_U32 = 4,
    GGUF_VALUE_I32 = 5,
    GGUF_VALUE_F32 = 6,
    GGUF_VALUE_BOOL = 7,
    GGUF_VALUE_STRING = 8,
    GGUF_VALUE_ARRAY = 9,
    GGUF_VALUE_U64 = 10,
    GGUF_VALUE_I64 = 11,
    GGUF_VALUE_F64 = 12
};

/* "u8", "f32", "string", "array"...; NULL for a number that is no value type. */
const char *gguf_value_type_name(enum gguf_value_type type);

/* The value type with that name, as gguf_value_type_name spells it; false if none. */
bool gguf_value_type_by_name(const char *name, enum gguf_value_type *type);

/* Bytes of one scalar of this type; 0 for strings and arrays. */
size_t gguf_value_type_size(enum gguf_value_type type);

/*
 * A validated value: a view of the bytes that the file holds, never a copy. Valid as
 * long as the model (or buffer) that it came from. A value is small: pass it around.
 */
struct gguf_value {
    uint8_t type;              /* enum gguf_value_type */
    uint8_t item;              /* element type of an array; otherwise equal to `type` */
    bool big_endian;           /* byte order of `data` */
    bool short_sizes;          /* sizes in `data` are 32 bits wide (version 1) */
    uint64_t count;            /* elements of an array; 1 otherwise */
    const unsigned char *data; /* the encoded elements, after all headers */
    uint64_t size;             /* bytes of `data`; a string's length */
};

/* Readers of a scalar. False, and *out untouched, where the type does not fit:
 * u64 and i64 take every integer type whose value fits and bool as 0 or 1, f64 takes
 * f32 and f64 and every integer type, bool takes bool alone, string takes string. */
bool gguf_value_u64(struct gguf_value value, uint64_t *out);
bool gguf_value_i64(struct gguf_value value, int64_t *out);
bool gguf_value_f64(struct gguf_value value, double *out);
bool gguf_value_bool(struct gguf_value value, bool *out);
bool gguf_value_string(struct gguf_value value, struct gguf_str *out);

/* Walks the elements of an array in order, each in constant time:
 *     struct gguf_iter it = gguf_items(array);
 *     for (struct gguf_value v; gguf_next(&it, &v);) ...
 * A scalar is walked as an array of one. Elements may be arrays themselves. */
struct gguf_iter {
    struct gguf_value array;
    uint64_t index;
    uint64_t position; /* bytes consumed */
};
struct gguf_iter gguf_items(struct gguf_value array);
bool gguf_next(struct gguf_iter *it, struct gguf_value *item);

/* Copies an array of f32 (exactly `count` of them, in native order) into `out`.
 * False if the element type or the count differs. The typed forms for other widths
 * go through gguf_items. */
bool gguf_value_f32s(struct gguf_value array, float *out, uint64_t count);

/* ---- Open ------------------------------------------------------------------------ */

/* An open model: one file, or a set of shards read as one. */
struct gguf;

enum gguf_open_flags {
    /* Open the named file alone even if it is a shard of a set. */
    GGUF_OPEN_SINGLE = 1,
    /* For looking at damaged files: errors in the tensor infos' types, offsets and
     * extents, missing shards and a shard under another name do not fail the open; each
     * is kept as a problem (gguf_problem_at), and a tensor whose type or extent is wrong
     * is not readable; overlapping ones are. An error in the structure itself still
     * fails. */
    GGUF_OPEN_INSPECT = 2,
    /* Map the files into memory, for gguf_tensor_map. */
    GGUF_OPEN_MAP = 4
};

/*
 * Opens the model at `path`. If the file is one of a shard set (split.count > 1 in its
 * metadata), its siblings are found by name in the same folder and the set is read as
 * one model, whichever shard was named. Only regular files are opened. Everything is
 * validated here, in time linear in the metadata. On failure *out is NULL.
 */
enum gguf_status gguf_open(struct gguf **out, const char *path, unsigned flags,
                           struct gguf_error *err);

/* Opens a model in memory. The buffer is borrowed until gguf_close. */
enum gguf_status gguf_open_memory(struct gguf **out, const void *data, size_t size,
                                  unsigned flags, struct gguf_error *err);

void gguf_close(struct gguf *model);

/* What GGUF_OPEN_INSPECT found, in file order. At most 64 are kept; the count is of
 * all. NULL past the kept ones. */
size_t gguf_problem_count(const struct gguf *model);
const struct gguf_error *gguf_problem_at(const struct gguf *model, size_t index);

/* ---- Files of a model ---------------------------------------------------------------- */

struct gguf_file {
    const char *path; /* as opened; "" for memory */
    uint32_t version; /* 1, 2 or 3 */
    bool big_endian;
    uint32_t alignment; /* bytes */
    uint64_t file_bytes;
    uint64_t kv_bytes;     /* end of the metadata, from the start of the file */
    uint64_t header_bytes; /* end of the tensor infos */
    uint64_t data_offset;  /* header_bytes rounded up to the alignment */
    size_t kv_count;
    size_t tensor_count;
    size_t first_tensor; /* index of its first tensor in the model */
};

/* Files in shard order; 1 for a model that is not split. NULL past the end. */
size_t gguf_file_count(const struct gguf *model);
const struct gguf_file *gguf_file_at(const struct gguf *model, size_t index);

/* ---- Metadata -------------------------------------------------------------------------- */

struct gguf_kv {
    struct gguf_str key;
    struct gguf_value value;
};

/* The metadata of the first file, in file order. NULL past the end. */
size_t gguf_kv_count(const struct gguf *model);
const struct gguf_kv *gguf_kv_at(const struct gguf *model, size_t index);

/* By key, in constant time; NULL if there is none. */
const struct gguf_kv *gguf_kv_find(const struct gguf *model, const char *key);

/* Typed getters by key; the rules are those of the gguf_value_* readers. */
bool gguf_get_u64(const struct gguf *model, const char *key, uint64_t *out);
bool gguf_get_i64(const struct gguf *model, const char *key, int64_t *out);
bool gguf_get_f64(const struct gguf *model, const char *key, double *out);
bool gguf_get_bool(const struct gguf *model, const char *key, bool *out);
bool gguf_get_string(const struct gguf *model, const char *key, struct gguf_str *out);
/* An array with that element type, any count. */
bool gguf_get_array(const struct gguf *model, const char *key, enum gguf_value_type item,
                    struct gguf_value *out);

/* The value of general.architecture, or an empty string. */
struct gguf_str gguf_architecture(const struct gguf *model);

/* Looks up "<architecture>.<suffix>": gguf_kv_find_arch(model, "block_count"). */
const struct gguf_kv *gguf_kv_find_arch(const struct gguf *model, const char *suffix);
bool gguf_get_arch_u64(const struct gguf *model, const char *suffix, uint64_t *out);

/* ---- Tensors ---------------------------------------------------------------------------- */

struct gguf_tensor {
    struct gguf_str name;
    uint32_t type; /* enum gguf_type, or an id that is not known */
    uint32_t n_dims;
    uint64_t ne[GGUF_MAX_DIMS]; /* innermost first: ne[0] is the row; unused ones are 1 */
    uint64_t elements;          /* product of ne */
    uint64_t bytes;             /* stored size; 0 where the size is not known */
    uint64_t offset;            /* from the start of its file */
    uint32_t file;              /* index of its file */
    bool readable;              /* type known and data inside the file */
};

/* Tensors of all files, in shard order and file order. NULL past the end. */
size_t gguf_tensor_count(const struct gguf *model);
const struct gguf_tensor *gguf_tensor_at(const struct gguf *model, size_t index);

/* By name, in constant time; NULL if there is none. */
const struct gguf_tensor *gguf_tensor_find(const struct gguf *model, const char *name);

/*
 * Reads `size` bytes of a readable tensor from byte `offset` on into `out`, in little-
 * endian order whatever the file's. Both must be whole blocks in a big-endian file.
 * Threads may call it at once. Errors: GGUF_ERR_ARGUMENT outside the tensor,
 * GGUF_ERR_TRUNCATED if the file has shrunk, GGUF_ERR_IO.
 */
enum gguf_status gguf_tensor_read(const struct gguf *model, const struct gguf_tensor *tensor,
                                  uint64_t offset, void *out, size_t size,
                                  struct gguf_error *err);

/* The stored bytes in place, in the file's byte order: for a model in memory or opened
 * with GGUF_OPEN_MAP, and a readable tensor; otherwise NULL. A mapped file must not
 * shrink while it is used. */
const void *gguf_tensor_map(const struct gguf *model, const struct gguf_tensor *tensor);

/* Hints to the system about bytes of a tensor that will be read soon, or never again. */
enum gguf_advice { GGUF_ADVISE_WILL_NEED, GGUF_ADVISE_DONE };
void gguf_tensor_advise(const struct gguf *model, const struct gguf_tensor *tensor,
                        uint64_t offset, uint64_t size, enum gguf_advice advice);

/* ---- Write ------------------------------------------------------------------------------- */

/*
 * A writer has three phases. Declare: keys and tensors in the order of the file. Begin:
 * the layout is fixed, free space checked, a temporary file created in the target's
 * folder, preallocated, and the header written. Write: tensor bytes in any order.
 * Finish: every byte is accounted for, fsync, rename onto the target, fsync of the
 * folder. Until the rename the target is untouched; gguf_writer_free before it removes
 * the temporary files. If any step of finish fails, all targets are as they were.
 */
struct gguf_writer;

struct gguf_writer_options {
    bool big_endian;        /* write scalars and block fields big-endian */
    bool overwrite;         /* replace an existing target; otherwise GGUF_ERR_EXISTS */
    uint64_t shard_bytes;   /* start a new shard before tensor data exceeds this; 0: never */
    uint64_t shard_tensors; /* and before it has this many tensors; 0: never */
    bool empty_first_shard; /* metadata alone in the first shard */
};

/*
 * `path` is the target. With shards it is a prefix: "dir/name.gguf" or "dir/name" gives
 * dir/name-00001-of-0000N.gguf. NULL for a layout without a file (a dry run). `options`
 * may be NULL for none. The alignment is that of the key general.alignment if it is set
 * (u32, a power of two up to 1 MiB), otherwise 32. A set that comes out as one shard is a
 * plain file at `path`. A target that is a symbolic link stays one: what it points to is
 * replaced. A replaced file's mode is kept.
 */
enum gguf_status gguf_writer_new(struct gguf_writer **out, const char *path,
                                 const struct gguf_writer_options *options,
                                 struct gguf_error *err);
void gguf_writer_free(struct gguf_writer *writer);

/* Takes back what is not finished, temporary files above all, by unlink and rename alone:
 * safe in a signal handler that is about to end the process, in any thread, from
 * gguf_writer_new on until gguf_writer_free is called. NULL does nothing. */
void gguf_writer_abandon(struct gguf_writer *writer);

/* Sets a key: in its old place if it exists, at the end otherwise. Bytes are copied, any
 * value is taken and converted to the byte order and version of the output. The keys
 * split.no, split.count and split.tensors.count of a set are the writer's own and replace
 * what was set here. */
enum gguf_status gguf_writer_set(struct gguf_writer *writer, struct gguf_str key,
                                 struct gguf_value value, struct gguf_error *err);
enum gguf_status gguf_writer_set_u16(struct gguf_writer *writer, const char *key,
                                     uint16_t value, struct gguf_error *err);
enum gguf_status gguf_writer_set_u32(struct gguf_writer *writer, const char *key,
                                     uint32_t value, struct gguf_error *err);
enum gguf_status gguf_writer_set_i32(struct gguf_writer *writer, const char *key, int32_t value,
                                     struct gguf_error *err);
enum gguf_status gguf_writer_set_u64(struct gguf_writer *writer, const char *key,
                                     uint64_t value, struct gguf_error *err);
enum gguf_status gguf_writer_set_f32(struct gguf_writer *writer, const char *key, float value,
                                     struct gguf_error *err);
enum gguf_status gguf_writer_set_bool(struct gguf_writer *writer, const char *key, bool value,
                                      struct gguf_error *err);
enum gguf_status gguf_writer_set_string(struct gguf_writer *writer, const char *key,
                                        struct gguf_str value, struct gguf_error *err);
enum gguf_status gguf_writer_set_strings(struct gguf_writer *writer, const char *key,
                                         const struct gguf_str *values, size_t count,
                                         struct gguf_error *err);
/* Removes a key; no error if there is none. Set again, it is back in its old place. */
void gguf_writer_remove(struct gguf_writer *writer, const char *key);

/* Copies all metadata of a model in order, without the split.* keys. */
enum gguf_status gguf_writer_copy_metadata(struct gguf_writer *writer, const struct gguf *model,
                                           struct gguf_error *err);

/* Declares a tensor; `ne` holds `n_dims` sizes, innermost first. Tensors are numbered
 * from 0 in the order of these calls. `shard` is the number of its file, 0-based and not
 * decreasing, or GGUF_SHARD_AUTO to follow the options. */
#define GGUF_SHARD_AUTO UINT32_MAX
enum gguf_status gguf_writer_add_tensor(struct gguf_writer *writer, struct gguf_str name,
                                        uint32_t type, uint32_t n_dims, const uint64_t *ne,
                                        uint32_t shard, struct gguf_error *err);

/* Bytes of all output files together, header and padding included. Fixes the layout. */
enum gguf_status gguf_writer_total_bytes(struct gguf_writer *writer, uint64_t *bytes,
                                         struct gguf_error *err);

/* Number of output files and the path of each, known once the layout is fixed. */
size_t gguf_writer_file_count(const struct gguf_writer *writer);
const char *gguf_writer_file_path(const struct gguf_writer *writer, size_t index);

/* Where the bytes of each file are between begin and finish, to read them back before
 * they get their name; otherwise NULL. */
const char *gguf_writer_temp_path(const struct gguf_writer *writer, size_t index);

enum gguf_status gguf_writer_begin(struct gguf_writer *writer, struct gguf_error *err);

/*
 * Writes `size` bytes of tensor `tensor` from byte `offset` on; `data` is in little-endian
 * order and is swapped as the output needs (whole blocks then). Threads may call it at
 * once for different bytes; every byte must be written once.
 */
enum gguf_status gguf_writer_write(struct gguf_writer *writer, size_t tensor, uint64_t offset,
                                   const void *data, size_t size, struct gguf_error *err);

/* GGUF_ERR_ARGUMENT if bytes are missing; they may be written then and this called again.
 * After any other error the temporary files are gone. */
enum gguf_status gguf_writer_finish(struct gguf_writer *writer, struct gguf_error *err);

/* ---- Files that replace others --------------------------------------------------- */

/* A name for what becomes `path` once it is whole: hidden, in the same folder,
 * ".NAME.PID-NANOSECONDS.SUFFIX". For the caller to free; NULL without memory. */
char *gguf_hidden_name(const char *path, const char *suffix);

/* Creates a file of that name, for writing, with the mode of the file at `path` or else that
 * of any new file. Returns its descriptor, or -1 with errno. */
int gguf_hidden_create(const char *name, const char *path);

/* Gives the finished file the name `path` and brings the folder to the disk. Returns 0, or -1
 * with errno; where the folder alone failed, the new file is in its place all the same. */
int gguf_hidden_place(const char *name, const char *path);

/* ---- Shard names ----------------------------------------------------------------- */

/* Splits ".../name-00002-of-00009.gguf" into the length of its prefix (".../name"), number
 * (1-based) and count. False if the name has another form. */
bool gguf_shard_parse(const char *path, size_t *prefix_size, uint32_t *number, uint32_t *count);

/* Writes "PREFIX-00002-of-00009.gguf" for 1-based `number`. False if it does not fit. */
bool gguf_shard_path(char *out, size_t out_size, struct gguf_str prefix, uint32_t number,
                     uint32_t count);

#if defined(__GNUC__)
#pragma GCC visibility pop
#endif
#ifdef __cplusplus
}
#endif
#endif
