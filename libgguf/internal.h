/* What the files of libgguf share and nobody else sees. */
#ifndef LIBGGUF_INTERNAL_H
#define LIBGGUF_INTERNAL_H

#include "libgguf/error.h"
#include "libgguf/gguf.h"
#include "libgguf/index.h"

/* Makes room for one more element of `size` bytes in an array that holds `count`; false
 * without memory, and the array is as it was. */
bool gguf_reserve(void **array, size_t count, size_t *capacity, size_t size);

/* ---- Where bytes come from (file.c) ------------------------------------------------ */

/* A regular file, or memory that the caller lent. */
struct gguf_source {
    bool is_file;
    int fd;                      /* -1 for memory, and while a file is set aside */
    const unsigned char *memory; /* lent, or the mapped file, or NULL */
    uint64_t size;
    uint64_t device, inode; /* which file it is, to find it again */
    const char *name;       /* path of a file; otherwise for messages */
};

/* `path` is borrowed. */
enum gguf_status gguf_source_open(struct gguf_source *source, const char *path,
                                  struct gguf_error *err);
void gguf_source_close(struct gguf_source *source);

/* Closes the descriptor; each read opens the file again for itself. For sets of more
 * shards than a process may have files open. */
void gguf_source_set_aside(struct gguf_source *source);

/* Reads exactly `size` bytes; GGUF_ERR_TRUNCATED where the file ends before. Thread-safe. */
enum gguf_status gguf_source_read(const struct gguf_source *source, uint64_t offset, void *out,
                                  size_t size, struct gguf_error *err);

/* Maps the whole file, once; nothing for memory. */
enum gguf_status gguf_source_map(struct gguf_source *source, struct gguf_error *err);

/* ---- One file (parse.c) ---------------------------------------------------------------- */

struct gguf_part {
    struct gguf_source source;
    char *path;
    unsigned char *header; /* the loaded bytes; NULL where the source is memory */
    struct gguf_file info;
    struct gguf_kv *kvs;
    size_t n_kvs, kv_capacity;
    struct gguf_index kv_index;
    struct gguf_tensor *tensors; /* offsets relative to the data until they are placed */
    size_t n_tensors, tensor_capacity;
};

/* Loads and validates the structure of the header: keys, values, names, shapes. */
enum gguf_status gguf_part_load(struct gguf_part *part, struct gguf_error *err);
void gguf_part_free(struct gguf_part *part);

const struct gguf_kv *gguf_part_find(const struct gguf_part *part, const char *key);

/* Offset in the file of the record that begins with this key or tensor name. */
uint64_t gguf_part_record(const struct gguf_part *part, struct gguf_str name);

/* ---- What else a file may be (sniff.c) --------------------------------------------------- */

/* Says in plain words what a file is that does not begin as GGUF, and what to do. */
enum gguf_status gguf_fail_not_gguf(const struct gguf_source *source, struct gguf_error *err);

/* ---- The model ------------------------------------------------------------------------ */

#define GGUF_MAX_PROBLEMS 64

struct gguf {
    unsigned flags;
    struct gguf_part *parts;
    size_t n_parts;
    struct gguf_tensor *tensors; /* of all parts */
    size_t n_tensors;
    struct gguf_index tensor_index;
    struct gguf_error *problems;
    size_t n_problems; /* all, kept or not */
};

/* With GGUF_OPEN_INSPECT keeps the error and answers GGUF_OK; otherwise its status. */
enum gguf_status gguf_report(struct gguf *model, const struct gguf_error *found,
                             struct gguf_error *err);

/* Checks types, alignment, extents and overlaps of a part's tensors (extents.c). */
enum gguf_status gguf_part_place(struct gguf *model, struct gguf_part *part,
                                 struct gguf_error *err);

/* Opens the siblings of a shard, in order, into model->parts (shard.c). */
enum gguf_status gguf_open_shards(struct gguf *model, struct gguf_error *err);

#endif
