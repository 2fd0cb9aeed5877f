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
/* Type and value, converted from whatever order and version it was in. Returns what is
 * wrong with the value, or NULL. */
const char *gguf_put_value(struct gguf_buffer *b, struct gguf_value value);

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
    uint32_t type, n_dims;
    uint32_t shard; /* as declared */
    uint32_t file;  /* index of its shard, once the layout is fixed */
    uint64_t ne[GGUF_MAX_DIMS];
    uint64_t bytes, padded; /* stored, and with the padding behind */
    uint64_t offset;        /* from the start of its shard's data */
    _Atomic uint64_t written;
};

struct writer_shard {
    char *path;          /* NULL in a dry run */
    char *temp, *backup; /* names beside the target; NULL until begun, then constant */
    int fd;              /* of the temporary file; -1 while closed */
    size_t first, count; /* tensors */
    struct gguf_buffer header;
    uint64_t data_offset, total_bytes;
    _Atomic uint64_t dirty; /* bytes written */
    atomic_bool saved;      /* `backup` may be a second name of the replaced file */
    atomic_bool made;       /* `path` is a new name that was made here */
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
    atomic_size_t n_named; /* shards whose files gguf_writer_abandon has to see to */
    atomic_bool committed; /* all files have their names, for good */
};

/* Sizes, shards, offsets and headers, once (write_layout.c). */
enum gguf_status gguf_writer_fix(struct gguf_writer *writer, struct gguf_error *err);
void gguf_writer_unfix(struct gguf_writer *writer);

/* ---- Temporary files (write_file.c) ---------------------------------------------- */

/* Bytes of the folder in a path, the slash included; 0 if it names none. */
size_t gguf_folder_size(const char *path);
/* The folder as a path of its own. NULL without memory. */
char *gguf_folder_of(const char *path);
/* Brings the names in a folder to the disk: 0, or -1 with errno (hidden.c). */
int gguf_folder_sync(const char *folder);

/* Everything that can be refused before a file is created: targets, then free space. */
enum gguf_status gguf_writer_check_targets(struct gguf_writer *writer, struct gguf_error *err);

/* Sets the names of the files beside the target, once: a signal handler may read them. */
enum gguf_status gguf_shard_name(struct writer_shard *shard, struct gguf_error *err);

/* Creates the temporary file, reserves its space and writes the header. `keep_open` is for
 * sets that are small enough to keep a descriptor for each file. */
enum gguf_status gguf_shard_begin(struct writer_shard *shard, bool keep_open,
                                  struct gguf_error *err);
/* Threads may call it at once. */
enum gguf_status gguf_write_at(struct writer_shard *shard, uint64_t offset, const void *data,
                               size_t size, struct gguf_error *err);
/* Brings the bytes to the disk and closes the file. */
enum gguf_status gguf_shard_sync(struct writer_shard *shard, struct gguf_error *err);
void gguf_shard_close(struct writer_shard *shard);

/* ---- Names (write_place.c) ------------------------------------------------------- */

/* Gives all files their names, brings the folders to the disk, and only then lets go of what
 * was replaced. On failure everything is as it was before. */
enum gguf_status gguf_writer_place(struct gguf_writer *writer, struct gguf_error *err);

/* Removes the hidden files: until the commit that takes back what was done, after it what
 * was replaced is gone. Safe in a signal handler, and may be repeated. */
void gguf_writer_settle(struct gguf_writer *writer);

#endif
