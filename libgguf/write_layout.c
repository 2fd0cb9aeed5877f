/* Which tensor goes into which file, where it lies there, and the headers. */
#include "libgguf/bytes.h"
#include "libgguf/checked.h"
#include "libgguf/writer.h"

#include <stdlib.h>
#include <string.h>

#define DEFAULT_ALIGNMENT 32

static enum gguf_status fail_size(struct gguf_error *err)
{
    return gguf_fail(err, GGUF_ERR_ARGUMENT, GGUF_NO_OFFSET,
                     "the output would be larger than 2^63 bytes");
}

/* The value of general.alignment was checked when it was set: u32, a power of two. */
static void find_alignment(struct gguf_writer *w)
{
    w->alignment = DEFAULT_ALIGNMENT;
    for (size_t i = 0; i < w->n_kvs; i++) {
        struct writer_kv *kv = &w->kvs[i];
        if (!kv->value.data || kv->key_size != 17 ||
            memcmp(kv->key, "general.alignment", 17) != 0)
            continue;
        /* behind the type */
        w->alignment = (uint32_t)bytes_load(kv->value.data + 4, 4, w->options.big_endian);
    }
}

/* ---- Shards --------------------------------------------------------------------------- */

/* Numbers the file of every tensor and sets its offset there. */
static enum gguf_status assign_shards(struct gguf_writer *w, size_t *n_shards,
                                      struct gguf_error *err)
{
    const struct gguf_writer_options *o = &w->options;
    uint32_t shard = o->empty_first_shard && w->n_tensors ? 1 : 0;
    uint64_t bytes = 0, count = 0;
    for (size_t i = 0; i < w->n_tensors; i++) {
        struct writer_tensor *t = &w->tensors[i];
        uint64_t after;
        if (!checked_align(t->bytes, w->alignment, &t->padded) ||
            !checked_add(bytes, t->padded, &after))
            return fail_size(err);
        bool full = (o->shard_bytes && after > o->shard_bytes) ||
                    (o->shard_tensors && count >= o->shard_tensors);
        uint32_t next = t->shard != GGUF_SHARD_AUTO ? t->shard : shard + (count > 0 && full);
        if (next < shard)
            return gguf_fail(err, GGUF_ERR_ARGUMENT, GGUF_NO_OFFSET,
                             "shard numbers of tensors must not decrease");
        if (next != shard)
            bytes = count = 0;
        t->file = shard = next;
        t->offset = bytes;
        bytes += t->padded;
        count++;
    }
    *n_shards = (size_t)shard + 1;
    if (*n_shards > GGUF_MAX_SHARDS)
        return gguf_fail(err, GGUF_ERR_ARGUMENT, GGUF_NO_OFFSET,
                         "the output would have %zu shards; at most %d are possible", *n_shards,
                         GGUF_MAX_SHARDS);
    if (*n_shards > 1 && w->n_tensors > INT32_MAX)
        return gguf_fail(err, GGUF_ERR_ARGUMENT, GGUF_NO_OFFSET,
                         "shards count their tensors as i32; there are %zu", w->n_tensors);
    return GGUF_OK;
}

static char *shard_path(const struct gguf_writer *w, size_t index)
{
    if (w->n_shards == 1)
        return strdup(w->path);
    size_t n = strlen(w->path);
    if (n > 5 && strcmp(w->path + n - 5, ".gguf") == 0)
        n -= 5;
    size_t size = n + 32;
    char *path = malloc(size);
    if (path)
        gguf_shard_path(path, size, (struct gguf_str){w->path, n}, (uint32_t)index + 1,
                        (uint32_t)w->n_shards);
    return path;
}

static enum gguf_status make_shards(struct gguf_writer *w, size_t n_shards,
                                    struct gguf_error *err)
{
    w->shards = calloc(n_shards, sizeof *w->shards);
    if (!w->shards)
        return gguf_fail_memory(err);
    w->n_shards = n_shards;
    for (size_t i = 0; i < n_shards; i++) {
        w->shards[i].fd = -1;
        w->shards[i].header.big_endian = w->options.big_endian;
    }
    for (size_t i = 0; i < w->n_tensors; i++) {
        struct writer_shard *s = &w->shards[w->tensors[i].file];
        if (s->count++ == 0)
            s->first = i;
    }
    for (size_t i = 0; w->path && i < n_shards; i++) {
        w->shards[i].path = shard_path(w, i);
        if (!w->shards[i].path)
            return gguf_fail_memory(err);
    }
    return GGUF_OK;
}

/* ---- Headers --------------------------------------------------------------------- */

static void put_key(struct gguf_buffer *b, const char *key, enum gguf_value_type type)
{
    gguf_put_string(b, (struct gguf_str){key, strlen(key)});
    gguf_put_uint(b, type, 4);
}

/* A copy of a single shard may carry its old ones. */
static void remove_split_keys(struct gguf_writer *w)
{
    gguf_writer_remove(w, "split.no");
    gguf_writer_remove(w, "split.count");
    gguf_writer_remove(w, "split.tensors.count");
}

static void put_split_keys(struct gguf_writer *w, struct gguf_buffer *b, size_t index)
{
    put_key(b, "split.no", GGUF_VALUE_U16);
    gguf_put_uint(b, index, 2);
    put_key(b, "split.count", GGUF_VALUE_U16);
    gguf_put_uint(b, w->n_shards, 2);
    put_key(b, "split.tensors.count", GGUF_VALUE_I32);
    gguf_put_uint(b, w->n_tensors, 4);
}

static size_t live_kvs(const struct gguf_writer *w)
{
    size_t n = 0;
    for (size_t i = 0; i < w->n_kvs; i++)
        n += w->kvs[i].value.data != NULL;
    return n;
}

/* The first shard holds all metadata; the others what is needed to read them. */
static void put_metadata(struct gguf_writer *w, struct gguf_buffer *b, size_t index)
{
    bool split = w->n_shards > 1, aligned = w->alignment != DEFAULT_ALIGNMENT;
    size_t own = index == 0 ? live_kvs(w) : (size_t)aligned;
    gguf_put_uint(b, own + (split ? 3 : 0), 8);
    for (size_t i = 0; index == 0 && i < w->n_kvs; i++) {
        struct writer_kv *kv = &w->kvs[i];
        if (!kv->value.data)
            continue;
        gguf_put_string(b, (struct gguf_str){kv->key, kv->key_size});
        gguf_put_bytes(b, kv->value.data, kv->value.size);
    }
    if (index > 0 && aligned) {
        put_key(b, "general.alignment", GGUF_VALUE_U32);
        gguf_put_uint(b, w->alignment, 4);
    }
    if (split)
        put_split_keys(w, b, index);
}

static void put_info(struct gguf_buffer *b, const struct writer_tensor *t)
{
    gguf_put_string(b, (struct gguf_str){t->name, t->name_size});
    gguf_put_uint(b, t->n_dims, 4);
    for (uint32_t d = 0; d < t->n_dims; d++)
        gguf_put_uint(b, t->ne[d], 8);
    gguf_put_uint(b, t->type, 4);
    gguf_put_uint(b, t->offset, 8);
}

static enum gguf_status make_header(struct gguf_writer *w, size_t index, struct gguf_error *err)
{
    struct writer_shard *s = &w->shards[index];
    struct gguf_buffer *b = &s->header;
    gguf_put_bytes(b, "GGUF", 4);
    gguf_put_uint(b, 3, 4);
    gguf_put_uint(b, s->count, 8);
    put_metadata(w, b, index);
    for (size_t i = 0; i < s->count; i++)
        put_info(b, &w->tensors[s->first + i]);
    if (b->failed)
        return gguf_fail_memory(err);
    s->data_offset = s->total_bytes = b->size;
    if (s->count == 0)
        return GGUF_OK;
    const struct writer_tensor *last = &w->tensors[s->first + s->count - 1];
    if (!checked_align(b->size, w->alignment, &s->data_offset) ||
        !checked_add(s->data_offset, last->offset + last->padded, &s->total_bytes))
        return fail_size(err);
    return GGUF_OK;
}

enum gguf_status gguf_writer_fix(struct gguf_writer *w, struct gguf_error *err)
{
    size_t n_shards = 1;
    if (w->fixed)
        return GGUF_OK;
    find_alignment(w);
    enum gguf_status status = assign_shards(w, &n_shards, err);
    if (!status && n_shards > 1)
        remove_split_keys(w);
    if (!status)
        status = make_shards(w, n_shards, err);
    for (size_t i = 0; i < n_shards && !status; i++)
        status = make_header(w, i, err);
    if (status)
        gguf_writer_unfix(w);
    w->fixed = !status;
    return status;
}

void gguf_writer_unfix(struct gguf_writer *w)
{
    for (size_t i = 0; i < w->n_shards; i++) {
        free(w->shards[i].path);
        free(w->shards[i].temp);
        free(w->shards[i].backup);
        free(w->shards[i].header.data);
    }
    free(w->shards);
    w->shards = NULL;
    w->n_shards = 0;
    w->fixed = false;
}

enum gguf_status gguf_writer_total_bytes(struct gguf_writer *writer, uint64_t *bytes,
                                         struct gguf_error *err)
{
    enum gguf_status status = gguf_writer_fix(writer, err);
    uint64_t total = 0;
    for (size_t i = 0; i < writer->n_shards && !status; i++) {
        if (!checked_add(total, writer->shards[i].total_bytes, &total))
            status = fail_size(err);
    }
    if (!status)
        *bytes = total;
    return status;
}

size_t gguf_writer_file_count(const struct gguf_writer *writer)
{
    return writer->n_shards;
}

const char *gguf_writer_file_path(const struct gguf_writer *writer, size_t index)
{
    return index < writer->n_shards ? writer->shards[index].path : NULL;
}

const char *gguf_writer_temp_path(const struct gguf_writer *writer, size_t index)
{
    return writer->begun && index < writer->n_shards ? writer->shards[index].temp : NULL;
}
