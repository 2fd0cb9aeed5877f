/* What the files of the writer share. */
#ifndef LIBGGUF_WRITER_H
#define LIBGGUF_WRITER_H

#include <stdatomic.h>

#include "libgguf/internal.h"

/* ---- Bytes in the output's order (write_kv.c) ----------------------------------------- */

struct gguf_buffer {
    unsigned char *data;
    size_t size, capacity;
    bool big_endian;
    bool failed; /* out of memory */
};

void gguf_put_bytes(struct gguf_buffer *b, const void *data, size_t size);
void gguf_put_uint(struct gguf_buffer *b, uint64_t value, size_t width);
void gguf_put_string(struct gguf_buffer *b, struct gguf_str s);
/* Type and value, converted from whatever order and version it was in. False if arrays
 * are nested too deep. */
bool gguf_put_value(struct gguf_buffer *b, struct gguf_value value);

/* ---- The writer ------------------------------------------------------------------------- */

struct writer_kv {
    char *key;
    size_t key_size;
    uint8_t type;
    struct gguf_buffer value; /* type and value, encoded; no data once removed */
};

struct writer_tensor {
    char *name;
    size_t name_size;
    uint32_t type, n_dims, shard;
    uint64_t ne[GGUF_MAX_DIMS];
    uint64_t bytes, padded; /* stored, and with the padding behind */
    uint64_t offset;        /* from the start of its shard's data */
    _Atomic uint64_t written;
};

struct writer_shard {
    char *path, *temp;   /* temp: NULL until begun and once placed */
    int fd;              /* -1 while closed */
    size_t first, count; /* tensors */
    struct gguf_buffer header;
    uint64_t data_offset, total_bytes;
    uint32_t mode; /* of the file that is replaced */
    bool replaces, placed;
};

struct gguf_writer {
    char *path; /* NULL: a dry run */
    struct gguf_writer_options options;
    struct writer_kv *kvs;
    size_t n_kvs, kv_capacity;
    struct gguf_index kv_index;
    struct writer_tensor *tensors;
    size_t n_tensors, tensor_capacity;
    struct gguf_index tensor_index;
    struct writer_shard *shards; /* known once the layout is fixed */
    size_t n_shards;
    uint32_t alignment;
    bool fixed, begun;
};

/* Sizes, shards, offsets and headers, once (write_layout.c). */
enum gguf_status gguf_writer_fix(struct gguf_writer *writer, struct gguf_error *err);

/* Temporary files, space, renames (write_file.c). */
enum gguf_status gguf_shard_begin(struct writer_shard *shard, bool overwrite,
                                  struct gguf_error *err);
enum gguf_status gguf_shard_sync(struct writer_shard *shard, struct gguf_error *err);
enum gguf_status gguf_shard_place(struct writer_shard *shard, bool overwrite,
                                  struct gguf_error *err);
enum gguf_status gguf_check_space(const struct gguf_writer *writer, struct gguf_error *err);
enum gguf_status gguf_write_at(const struct writer_shard *shard, uint64_t offset,
                               const void *data, size_t size, struct gguf_error *err);
/* Closes and removes what is not placed. */
void gguf_shard_discard(struct writer_shard *shard);

#endif
