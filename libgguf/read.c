/* Opening a model, and what is asked of an open one. */
#include "libgguf/internal.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- Open --------------------------------------------------------------------------- */

static struct gguf_str tensor_name_at(const void *owner, size_t position)
{
    return ((const struct gguf *)owner)->tensors[position].name;
}

/* Makes room for the tensors of all parts. Those of a single part are taken as they are: a
 * second copy would be most of the memory that a long header costs. */
static bool reserve_tensors(struct gguf *model)
{
    size_t total = 0;
    for (size_t i = 0; i < model->n_parts; i++)
        total += model->parts[i].n_tensors;
    if (model->n_parts == 1) {
        model->tensors = model->parts[0].tensors;
        model->parts[0].tensors = NULL;
    } else {
        model->tensors = calloc(total ? total : 1, sizeof *model->tensors);
    }
    return model->tensors || total == 0;
}

/* Puts the tensors of all parts into one array. */
static enum gguf_status join_tensors(struct gguf *model, struct gguf_error *err)
{
    if (!reserve_tensors(model))
        return gguf_fail_memory(err);
    for (size_t i = 0; i < model->n_parts; i++) {
        struct gguf_part *part = &model->parts[i];
        part->info.first_tensor = model->n_tensors;
        for (size_t j = 0; j < part->n_tensors; j++) {
            struct gguf_tensor *t = &model->tensors[model->n_tensors++];
            if (part->tensors)
                *t = part->tensors[j];
            t->file = (uint32_t)i;
        }
        free(part->tensors);
        part->tensors = NULL;
    }
    return GGUF_OK;
}

/* Makes the tensors found by name; no two of them, of whatever shard, share one. */
static enum gguf_status index_tensors(struct gguf *model, struct gguf_error *err)
{
    struct gguf_index *index = &model->tensor_index;
    for (size_t i = 0; i < model->n_tensors; i++) {
        const struct gguf_tensor *t = &model->tensors[i];
        if (gguf_index_find(index, t->name, tensor_name_at, model) != GGUF_NOT_FOUND)
            return gguf_fail(err, GGUF_ERR_CORRUPT,
                             gguf_part_record(&model->parts[t->file], t->name),
                             "%s: two tensors have the name %s",
                             model->parts[t->file].source.name, gguf_text(t->name).text);
        if (!gguf_index_add(index, i, tensor_name_at, model))
            return gguf_fail_memory(err);
    }
    return GGUF_OK;
}

/* Releases what was only needed to open, and fills in what is told about each file. */
static enum gguf_status settle(struct gguf *model, struct gguf_error *err)
{
    enum gguf_status status = join_tensors(model, err);
    if (!status)
        status = index_tensors(model, err);
    for (size_t i = 0; i < model->n_parts && !status; i++) {
        struct gguf_part *part = &model->parts[i];
        part->info.path = part->path;
        part->info.file_bytes = part->source.size;
        part->info.kv_count = part->n_kvs;
        part->info.tensor_count = part->n_tensors;
        if (model->flags & GGUF_OPEN_MAP)
            status = gguf_source_map(&part->source, err);
    }
    return status;
}

static enum gguf_status open_model(struct gguf *model, struct gguf_error *err)
{
    struct gguf_part *first = &model->parts[0];
    enum gguf_status status = gguf_part_load(first, err);
    if (!status)
        status = gguf_part_place(model, first, err);
    if (!status && first->source.is_file && !(model->flags & GGUF_OPEN_SINGLE))
        status = gguf_open_shards(model, err);
    return status ? status : settle(model, err);
}

/* A model with one empty part, or NULL without memory. */
static struct gguf *new_model(const char *path, unsigned flags)
{
    struct gguf *model = calloc(1, sizeof *model);
    if (!model)
        return NULL;
    model->flags = flags;
    model->parts = calloc(1, sizeof *model->parts);
    if (!model->parts)
        goto fail;
    model->n_parts = 1;
    model->parts[0].source.fd = -1;
    model->parts[0].path = strdup(path);
    if (!model->parts[0].path)
        goto fail;
    return model;
fail:
    gguf_close(model);
    return NULL;
}

enum gguf_status gguf_open(struct gguf **out, const char *path, unsigned flags,
                           struct gguf_error *err)
{
    *out = NULL;
    struct gguf *model = new_model(path, flags);
    if (!model)
        return gguf_fail_memory(err);
    struct gguf_part *part = &model->parts[0];
    enum gguf_status status = gguf_source_open(&part->source, part->path, err);
    if (!status)
        status = open_model(model, err);
    if (status)
        gguf_close(model);
    else
        *out = model;
    return status;
}

enum gguf_status gguf_open_memory(struct gguf **out, const void *data, size_t size,
                                  unsigned flags, struct gguf_error *err)
{
    *out = NULL;
    struct gguf *model = new_model("", flags);
    if (!model)
        return gguf_fail_memory(err);
    model->parts[0].source =
        (struct gguf_source){.fd = -1, .memory = data, .size = size, .name = "memory"};
    enum gguf_status status = open_model(model, err);
    if (status)
        gguf_close(model);
    else
        *out = model;
    return status;
}

void gguf_close(struct gguf *model)
{
    if (!model)
        return;
    for (size_t i = 0; i < model->n_parts; i++)
        gguf_part_free(&model->parts[i]);
    gguf_index_free(&model->tensor_index);
    free(model->parts);
    free(model->tensors);
    free(model->problems);
    free(model);
}

size_t gguf_problem_count(const struct gguf *model)
{
    return model->n_problems;
}

const struct gguf_error *gguf_problem_at(const struct gguf *model, size_t index)
{
    bool kept = index < model->n_problems && index < GGUF_MAX_PROBLEMS;
    return kept ? &model->problems[index] : NULL;
}

/* ---- Files and metadata ------------------------------------------------------------- */

size_t gguf_file_count(const struct gguf *model)
{
    return model->n_parts;
}

const struct gguf_file *gguf_file_at(const struct gguf *model, size_t index)
{
    return index < model->n_parts ? &model->parts[index].info : NULL;
}

size_t gguf_kv_count(const struct gguf *model)
{
    return model->parts[0].n_kvs;
}

const struct gguf_kv *gguf_kv_at(const struct gguf *model, size_t index)
{
    return index < model->parts[0].n_kvs ? &model->parts[0].kvs[index] : NULL;
}

const struct gguf_kv *gguf_kv_find(const struct gguf *model, const char *key)
{
    return gguf_part_find(&model->parts[0], key);
}

/* ---- Tensors ------------------------------------------------------------------------ */

size_t gguf_tensor_count(const struct gguf *model)
{
    return model->n_tensors;
}

const struct gguf_tensor *gguf_tensor_at(const struct gguf *model, size_t index)
{
    return index < model->n_tensors ? &model->tensors[index] : NULL;
}

const struct gguf_tensor *gguf_tensor_find(const struct gguf *model, const char *name)
{
    struct gguf_str s = {name, strlen(name)};
    size_t i = gguf_index_find(&model->tensor_index, s, tensor_name_at, model);
    return i == GGUF_NOT_FOUND ? NULL : &model->tensors[i];
}

enum gguf_status gguf_tensor_read(const struct gguf *model, const struct gguf_tensor *tensor,
                                  uint64_t offset, void *out, size_t size,
                                  struct gguf_error *err)
{
    const struct gguf_part *part = &model->parts[tensor->file];
    bool swapped = part->info.big_endian;
    if (!tensor->readable || offset > tensor->bytes || size > tensor->bytes - offset)
        return gguf_fail(err, GGUF_ERR_ARGUMENT, GGUF_NO_OFFSET,
                         "%s: tensor %s: bytes %llu to %llu are not readable",
                         part->source.name, gguf_text(tensor->name).text,
                         (unsigned long long)offset, (unsigned long long)offset + size);
    uint64_t block = gguf_type_find(tensor->type)->block_bytes;
    if (swapped && (offset % block != 0 || size % block != 0))
        return gguf_fail(err, GGUF_ERR_ARGUMENT, GGUF_NO_OFFSET,
                         "%s: tensor %s: a big-endian file is read in whole blocks",
                         part->source.name, gguf_text(tensor->name).text);
    enum gguf_status status =
        gguf_source_read(&part->source, tensor->offset + offset, out, size, err);
    if (!status && swapped)
        gguf_type_swap(tensor->type, out, size);
    return status;
}

const void *gguf_tensor_map(const struct gguf *model, const struct gguf_tensor *tensor)
{
    const struct gguf_source *source = &model->parts[tensor->file].source;
    return source->memory && tensor->readable ? source->memory + tensor->offset : NULL;
}

void gguf_tensor_advise(const struct gguf *model, const struct gguf_tensor *tensor,
                        uint64_t offset, uint64_t size, enum gguf_advice advice)
{
    const struct gguf_source *source = &model->parts[tensor->file].source;
    if (source->fd < 0 || !tensor->readable || offset >= tensor->bytes)
        return;
    if (size > tensor->bytes - offset)
        size = tensor->bytes - offset;
    if (size == 0) /* to the system that is the rest of the file */
        return;
    int hint = advice == GGUF_ADVISE_DONE ? POSIX_FADV_DONTNEED : POSIX_FADV_WILLNEED;
    (void)posix_fadvise(source->fd, (off_t)(tensor->offset + offset), (off_t)size, hint);
}
