/* The writer: declare keys and tensors, stream bytes, finish. */
#include "libgguf/writer.h"
#include "libgguf/checked.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum gguf_status gguf_writer_new(struct gguf_writer **out, const char *path,
                                 const struct gguf_writer_options *options,
                                 struct gguf_error *err)
{
    *out = NULL;
    if (path && (!*path || path[strlen(path) - 1] == '/'))
        return gguf_fail(err, GGUF_ERR_ARGUMENT, GGUF_NO_OFFSET, "\"%s\" is no name for a file",
                         path);
    struct gguf_writer *w = calloc(1, sizeof *w);
    if (!w)
        return gguf_fail_memory(err);
    if (options)
        w->options = *options;
    if (path && !(w->path = strdup(path))) {
        free(w);
        return gguf_fail_memory(err);
    }
    *out = w;
    return GGUF_OK;
}

static void drop_files(struct gguf_writer *w)
{
    gguf_writer_settle(w);
    atomic_store(&w->n_named, 0);
    for (size_t i = 0; i < w->n_shards; i++)
        gguf_shard_close(&w->shards[i]);
}

void gguf_writer_free(struct gguf_writer *writer)
{
    if (!writer)
        return;
    for (size_t i = 0; i < writer->n_kvs; i++) {
        free(writer->kvs[i].key);
        free(writer->kvs[i].value.data);
    }
    for (size_t i = 0; i < writer->n_tensors; i++)
        free(writer->tensors[i].name);
    drop_files(writer);
    gguf_writer_unfix(writer);
    gguf_index_free(&writer->kv_index);
    gguf_index_free(&writer->tensor_index);
    free(writer->kvs);
    free(writer->tensors);
    free(writer->path);
    free(writer);
}

void gguf_writer_abandon(struct gguf_writer *writer)
{
    if (writer)
        gguf_writer_settle(writer);
}

/* ---- Keys ------------------------------------------------------------------------------ */

static struct gguf_str key_at(const void *owner, size_t position)
{
    const struct writer_kv *kv = &((const struct gguf_writer *)owner)->kvs[position];
    return (struct gguf_str){kv->key, kv->key_size};
}

static enum gguf_status check_kv(const struct gguf_writer *w, struct gguf_str key,
                                 struct gguf_value value, struct gguf_error *err)
{
    uint64_t alignment;
    if (w->fixed)
        return gguf_fail(err, GGUF_ERR_ARGUMENT, GGUF_NO_OFFSET,
                         "keys are declared before the layout is fixed");
    if (key.size == 0 || key.size > GGUF_MAX_KEY || memchr(key.data, 0, key.size))
        return gguf_fail(err, GGUF_ERR_ARGUMENT, GGUF_NO_OFFSET,
                         "a key has 1 to %d bytes without NUL: \"%s\"", GGUF_MAX_KEY,
                         gguf_text(key).text);
    if (!gguf_str_equal(key, "general.alignment"))
        return GGUF_OK;
    if (value.type != GGUF_VALUE_U32 || !gguf_value_u64(value, &alignment) || alignment == 0 ||
        alignment > GGUF_MAX_ALIGNMENT || (alignment & (alignment - 1)))
        return gguf_fail(err, GGUF_ERR_ARGUMENT, GGUF_NO_OFFSET,
                         "general.alignment must be a u32 and a power of two from 1 to %u",
                         GGUF_MAX_ALIGNMENT);
    return GGUF_OK;
}

/* The place of a key: its old one (a removed key keeps it), or a new one at the end; NULL
 * without memory. */
static struct writer_kv *place_of(struct gguf_writer *w, struct gguf_str key)
{
    size_t i = gguf_index_find(&w->kv_index, key, key_at, w);
    if (i != GGUF_NOT_FOUND)
        return &w->kvs[i];
    if (!gguf_reserve((void **)&w->kvs, w->n_kvs, &w->kv_capacity, sizeof *w->kvs))
        return NULL;
    struct writer_kv *kv = &w->kvs[w->n_kvs];
    *kv = (struct writer_kv){.key = malloc(key.size), .key_size = key.size};
    if (!kv->key)
        return NULL;
    memcpy(kv->key, key.data, key.size);
    if (!gguf_index_add(&w->kv_index, w->n_kvs, key_at, w)) {
        free(kv->key);
        return NULL;
    }
    w->n_kvs++;
    return kv;
}

enum gguf_status gguf_writer_set(struct gguf_writer *writer, struct gguf_str key,
                                 struct gguf_value value, struct gguf_error *err)
{
    struct gguf_buffer encoded = {.big_endian = writer->options.big_endian};
    enum gguf_status status = check_kv(writer, key, value, err);
    if (status)
        return status;
    const char *wrong = gguf_put_value(&encoded, value);
    struct writer_kv *kv = wrong || encoded.failed ? NULL : place_of(writer, key);
    if (!kv) {
        free(encoded.data);
        return wrong ? gguf_fail(err, GGUF_ERR_ARGUMENT, GGUF_NO_OFFSET, "key %s: %s",
                                 gguf_text(key).text, wrong)
                     : gguf_fail_memory(err);
    }
    free(kv->value.data);
    kv->value = encoded;
    kv->type = value.type;
    return GGUF_OK;
}

void gguf_writer_remove(struct gguf_writer *writer, const char *key)
{
    struct gguf_str name = {key, strlen(key)};
    size_t i = gguf_index_find(&writer->kv_index, name, key_at, writer);
    if (i == GGUF_NOT_FOUND || writer->fixed)
        return;
    free(writer->kvs[i].value.data);
    writer->kvs[i].value = (struct gguf_buffer){0};
}

enum gguf_status gguf_writer_copy_metadata(struct gguf_writer *writer, const struct gguf *model,
                                           struct gguf_error *err)
{
    enum gguf_status status = GGUF_OK;
    for (size_t i = 0; i < gguf_kv_count(model) && !status; i++) {
        const struct gguf_kv *kv = gguf_kv_at(model, i);
        if (kv->key.size < 6 || memcmp(kv->key.data, "split.", 6) != 0)
            status = gguf_writer_set(writer, kv->key, kv->value, err);
    }
    return status;
}

/* ---- Keys by type ---------------------------------------------------------------- */

/* A number as the value that a little-endian file would hold. */
static enum gguf_status set_number(struct gguf_writer *w, const char *key,
                                   enum gguf_value_type type, uint64_t bits,
                                   struct gguf_error *err)
{
    unsigned char raw[8];
    for (size_t i = 0; i < 8; i++)
        raw[i] = (unsigned char)(bits >> 8 * i);
    struct gguf_value value = {.type = (uint8_t)type,
                               .item = (uint8_t)type,
                               .count = 1,
                               .data = raw,
                               .size = gguf_value_type_size(type)};
    return gguf_writer_set(w, (struct gguf_str){key, strlen(key)}, value, err);
}

enum gguf_status gguf_writer_set_u16(struct gguf_writer *writer, const char *key,
                                     uint16_t value, struct gguf_error *err)
{
    return set_number(writer, key, GGUF_VALUE_U16, value, err);
}

enum gguf_status gguf_writer_set_u32(struct gguf_writer *writer, const char *key,
                                     uint32_t value, struct gguf_error *err)
{
    return set_number(writer, key, GGUF_VALUE_U32, value, err);
}

enum gguf_status gguf_writer_set_i32(struct gguf_writer *writer, const char *key, int32_t value,
                                     struct gguf_error *err)
{
    return set_number(writer, key, GGUF_VALUE_I32, (uint32_t)value, err);
}

enum gguf_status gguf_writer_set_u64(struct gguf_writer *writer, const char *key,
                                     uint64_t value, struct gguf_error *err)
{
    return set_number(writer, key, GGUF_VALUE_U64, value, err);
}

enum gguf_status gguf_writer_set_f32(struct gguf_writer *writer, const char *key, float value,
                                     struct gguf_error *err)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return set_number(writer, key, GGUF_VALUE_F32, bits, err);
}

enum gguf_status gguf_writer_set_bool(struct gguf_writer *writer, const char *key, bool value,
                                      struct gguf_error *err)
{
    return set_number(writer, key, GGUF_VALUE_BOOL, value, err);
}

enum gguf_status gguf_writer_set_string(struct gguf_writer *writer, const char *key,
                                        struct gguf_str value, struct gguf_error *err)
{
    struct gguf_value v = {.type = GGUF_VALUE_STRING,
                           .item = GGUF_VALUE_STRING,
                           .count = 1,
                           .data = (const unsigned char *)value.data,
                           .size = value.size};
    return gguf_writer_set(writer, (struct gguf_str){key, strlen(key)}, v, err);
}

enum gguf_status gguf_writer_set_strings(struct gguf_writer *writer, const char *key,
                                         const struct gguf_str *values, size_t count,
                                         struct gguf_error *err)
{
    struct gguf_buffer b = {0};
    for (size_t i = 0; i < count; i++)
        gguf_put_string(&b, values[i]);
    struct gguf_value v = {.type = GGUF_VALUE_ARRAY,
                           .item = GGUF_VALUE_STRING,
                           .count = count,
                           .data = b.data,
                           .size = b.size};
    enum gguf_status status =
        b.failed ? gguf_fail_memory(err)
                 : gguf_writer_set(writer, (struct gguf_str){key, strlen(key)}, v, err);
    free(b.data);
    return status;
}

/* ---- Tensors --------------------------------------------------------------------- */

static struct gguf_str tensor_at(const void *owner, size_t position)
{
    const struct writer_tensor *t = &((const struct gguf_writer *)owner)->tensors[position];
    return (struct gguf_str){t->name, t->name_size};
}

static enum gguf_status fail_tensor(struct gguf_str name, const char *what,
                                    struct gguf_error *err)
{
    return gguf_fail(err, GGUF_ERR_ARGUMENT, GGUF_NO_OFFSET, "tensor %s: %s",
                     gguf_text(name).text, what);
}

/* Fills in the shape and the size in bytes. */
static enum gguf_status set_shape(struct writer_tensor *t, struct gguf_str name,
                                  const uint64_t *ne, struct gguf_error *err)
{
    const struct gguf_type_info *info = gguf_type_find(t->type);
    uint64_t elements = 1;
    if (t->n_dims == 0 || t->n_dims > GGUF_MAX_DIMS)
        return fail_tensor(name, "a tensor has 1 to 4 dimensions", err);
    if (!info || info->block_elements == 0)
        return fail_tensor(name, "its type cannot be written", err);
    if (ne[0] % info->block_elements != 0)
        return fail_tensor(name, "its rows are no whole number of blocks", err);
    for (uint32_t i = 0; i < t->n_dims; i++) {
        t->ne[i] = ne[i];
        if (ne[i] > CHECKED_MAX || !checked_mul(elements, ne[i], &elements))
            return fail_tensor(name, "it has 2^63 or more elements", err);
    }
    if (!gguf_type_bytes(t->type, elements, &t->bytes))
        return fail_tensor(name, "its size does not fit 63 bits", err);
    return GGUF_OK;
}

enum gguf_status gguf_writer_add_tensor(struct gguf_writer *writer, struct gguf_str name,
                                        uint32_t type, uint32_t n_dims, const uint64_t *ne,
                                        uint32_t shard, struct gguf_error *err)
{
    struct gguf_writer *w = writer;
    struct writer_tensor t = {
        .name_size = name.size, .type = type, .n_dims = n_dims, .shard = shard};
    if (w->fixed)
        return fail_tensor(name, "tensors are declared before the layout is fixed", err);
    if (name.size == 0 || name.size > GGUF_MAX_NAME_WRITE)
        return fail_tensor(name, "a name has 1 to 63 bytes: engines take no longer one", err);
    if (gguf_index_find(&w->tensor_index, name, tensor_at, w) != GGUF_NOT_FOUND)
        return fail_tensor(name, "is declared twice", err);
    enum gguf_status status = set_shape(&t, name, ne, err);
    if (status)
        return status;
    if (!gguf_reserve((void **)&w->tensors, w->n_tensors, &w->tensor_capacity, sizeof t))
        return gguf_fail_memory(err);
    t.name = malloc(name.size);
    if (!t.name)
        return gguf_fail_memory(err);
    memcpy(t.name, name.data, name.size);
    memcpy(&w->tensors[w->n_tensors], &t, sizeof t);
    if (!gguf_index_add(&w->tensor_index, w->n_tensors, tensor_at, w)) {
        free(t.name);
        return gguf_fail_memory(err);
    }
    w->n_tensors++;
    return GGUF_OK;
}

/* ---- Begin, write, finish -------------------------------------------------------- */

/* Sets of more files than this keep none open between writes: descriptors run out. */
#define MAX_OPEN 64

static enum gguf_status begin_shards(struct gguf_writer *w, struct gguf_error *err)
{
    enum gguf_status status = GGUF_OK;
    for (size_t i = 0; i < w->n_shards && !status; i++) {
        status = gguf_shard_name(&w->shards[i], err);
        if (status)
            break;
        atomic_store(&w->n_named, i + 1);
        status = gguf_shard_begin(&w->shards[i], w->n_shards <= MAX_OPEN, err);
    }
    return status;
}

enum gguf_status gguf_writer_begin(struct gguf_writer *writer, struct gguf_error *err)
{
    if (!writer->path || writer->begun || atomic_load(&writer->committed))
        return gguf_fail(err, GGUF_ERR_ARGUMENT, GGUF_NO_OFFSET,
                         "a writer without a path, or one that has begun, cannot begin");
    enum gguf_status status = gguf_writer_fix(writer, err);
    if (!status)
        status = gguf_writer_check_targets(writer, err);
    if (!status)
        status = begin_shards(writer, err);
    if (status)
        drop_files(writer);
    writer->begun = !status;
    return status;
}

/* Turns block fields round in a copy, piece by piece. */
static enum gguf_status write_swapped(struct writer_shard *shard, const struct writer_tensor *t,
                                      uint64_t at, struct gguf_str data, struct gguf_error *err)
{
    unsigned char piece[16384];
    size_t block = gguf_type_find(t->type)->block_bytes;
    size_t step = sizeof piece / block * block;
    enum gguf_status status = GGUF_OK;
    for (size_t done = 0; done < data.size && !status; done += step) {
        size_t n = data.size - done < step ? data.size - done : step;
        memcpy(piece, data.data + done, n);
        gguf_type_swap(t->type, piece, n);
        status = gguf_write_at(shard, at + done, piece, n, err);
    }
    return status;
}

enum gguf_status gguf_writer_write(struct gguf_writer *writer, size_t tensor, uint64_t offset,
                                   const void *data, size_t size, struct gguf_error *err)
{
    if (!writer->begun || tensor >= writer->n_tensors)
        return gguf_fail(err, GGUF_ERR_ARGUMENT, GGUF_NO_OFFSET, "no tensor %zu to write",
                         tensor);
    struct writer_tensor *t = &writer->tensors[tensor];
    struct writer_shard *shard = &writer->shards[t->file];
    struct gguf_str name = {t->name, t->name_size};
    uint64_t block = gguf_type_find(t->type)->block_bytes;
    if (offset > t->bytes || size > t->bytes - offset)
        return fail_tensor(name, "bytes beyond its end", err);
    if (writer->options.big_endian && (offset % block != 0 || size % block != 0))
        return fail_tensor(name, "a big-endian file is written in whole blocks", err);
    uint64_t at = shard->data_offset + t->offset + offset;
    enum gguf_status status =
        writer->options.big_endian
            ? write_swapped(shard, t, at, (struct gguf_str){data, size}, err)
            : gguf_write_at(shard, at, data, size, err);
    if (!status)
        atomic_fetch_add(&t->written, size);
    return status;
}

static enum gguf_status check_complete(struct gguf_writer *w, struct gguf_error *err)
{
    for (size_t i = 0; i < w->n_tensors; i++) {
        struct writer_tensor *t = &w->tensors[i];
        uint64_t written = atomic_load(&t->written);
        if (written != t->bytes)
            return gguf_fail(err, GGUF_ERR_ARGUMENT, GGUF_NO_OFFSET,
                             "tensor %s: %llu of its %llu bytes were written",
                             gguf_text((struct gguf_str){t->name, t->name_size}).text,
                             (unsigned long long)written, (unsigned long long)t->bytes);
    }
    return GGUF_OK;
}

enum gguf_status gguf_writer_finish(struct gguf_writer *writer, struct gguf_error *err)
{
    if (!writer->begun)
        return gguf_fail(err, GGUF_ERR_ARGUMENT, GGUF_NO_OFFSET, "the writer has not begun");
    enum gguf_status status = check_complete(writer, err);
    if (status)
        return status;
    for (size_t i = 0; i < writer->n_shards && !status; i++)
        status = gguf_shard_sync(&writer->shards[i], err);
    if (!status)
        status = gguf_writer_place(writer, err);
    drop_files(writer);
    writer->begun = false;
    return status;
}
