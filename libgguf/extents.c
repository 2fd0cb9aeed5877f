/* Where the data of tensors lies: alignment, sizes, the end of the file, overlaps. */
#include "libgguf/checked.h"
#include "libgguf/internal.h"

#include <stdlib.h>

enum gguf_status gguf_report(struct gguf *model, const struct gguf_error *found,
                             struct gguf_error *err)
{
    if (!(model->flags & GGUF_OPEN_INSPECT)) {
        if (err)
            *err = *found;
        return found->status;
    }
    if (!model->problems)
        model->problems = calloc(GGUF_MAX_PROBLEMS, sizeof *model->problems);
    if (!model->problems)
        return gguf_fail_memory(err);
    if (model->n_problems < GGUF_MAX_PROBLEMS)
        model->problems[model->n_problems] = *found;
    model->n_problems++;
    return GGUF_OK;
}

/* ---- Alignment ----------------------------------------------------------------------- */

static enum gguf_status find_alignment(struct gguf_part *part, struct gguf_error *err)
{
    const struct gguf_kv *kv = gguf_part_find(part, "general.alignment");
    uint64_t alignment = 32;
    if (kv && (kv->value.type != GGUF_VALUE_U32 || !gguf_value_u64(kv->value, &alignment)))
        return gguf_fail(err, GGUF_ERR_CORRUPT, gguf_part_record(part, kv->key),
                         "%s: general.alignment must be a u32, found %s", part->source.name,
                         gguf_value_type_name((enum gguf_value_type)kv->value.type));
    if (alignment == 0 || alignment > GGUF_MAX_ALIGNMENT || (alignment & (alignment - 1)))
        return gguf_fail(
            err, GGUF_ERR_CORRUPT, gguf_part_record(part, kv->key),
            "%s: general.alignment must be a power of two from 1 to %u, found %llu",
            part->source.name, GGUF_MAX_ALIGNMENT, (unsigned long long)alignment);
    part->info.alignment = (uint32_t)alignment;
    if (!checked_align(part->info.header_bytes, alignment, &part->info.data_offset))
        return gguf_fail(err, GGUF_ERR_CORRUPT, GGUF_NO_OFFSET, "%s: the header is too long",
                         part->source.name);
    return GGUF_OK;
}

/* ---- One tensor ------------------------------------------------------------------------- */

static const char *origin_text(const struct gguf_type_info *info)
{
    if (!info)
        return "is not known";
    if (info->origin == GGUF_TYPE_REMOVED)
        return "was removed from the format; convert the model again from the original";
    if (info->origin == GGUF_TYPE_FORK)
        return "belongs to a fork (ik_llama.cpp); only that fork reads it";
    return NULL;
}

static enum gguf_status check_type(const struct gguf_part *part, struct gguf_tensor *t,
                                   struct gguf_error *err)
{
    const struct gguf_type_info *info = gguf_type_find(t->type);
    const char *wrong = origin_text(info);
    if (wrong)
        return gguf_fail(err, GGUF_ERR_UNSUPPORTED, gguf_part_record(part, t->name),
                         "%s: tensor %s: type %u (%s) %s", part->source.name,
                         gguf_text(t->name).text, t->type, info ? info->name : "unknown",
                         wrong);
    if (t->ne[0] % info->block_elements != 0)
        return gguf_fail(
            err, GGUF_ERR_CORRUPT, gguf_part_record(part, t->name),
            "%s: tensor %s: rows of %llu elements are no whole number of %s blocks of %u",
            part->source.name, gguf_text(t->name).text, (unsigned long long)t->ne[0],
            info->name, info->block_elements);
    if (!gguf_type_bytes(t->type, t->elements, &t->bytes))
        return gguf_fail(err, GGUF_ERR_CORRUPT, gguf_part_record(part, t->name),
                         "%s: tensor %s: its size does not fit 63 bits", part->source.name,
                         gguf_text(t->name).text);
    return GGUF_OK;
}

/* Where the file ends if nothing is cut off, as far as its tensor infos make sense. */
static uint64_t announced_bytes(const struct gguf_part *part)
{
    uint64_t most = part->info.data_offset;
    for (size_t i = 0; i < part->n_tensors; i++) {
        const struct gguf_tensor *t = &part->tensors[i];
        uint64_t bytes = 0, end; /* 0 for a type without a size */
        (void)gguf_type_bytes(t->type, t->elements, &bytes);
        if (checked_add(part->info.data_offset, t->offset, &end) &&
            checked_add(end, bytes, &end) && end > most)
            most = end;
    }
    return most;
}

/* Turns the offset into one from the start of the file. */
static enum gguf_status check_extent(const struct gguf_part *part, struct gguf_tensor *t,
                                     uint64_t announced, struct gguf_error *err)
{
    uint64_t relative = t->offset, end;
    if (relative % part->info.alignment != 0)
        return gguf_fail(err, GGUF_ERR_CORRUPT, gguf_part_record(part, t->name),
                         "%s: tensor %s: offset %llu is no multiple of the alignment %u",
                         part->source.name, gguf_text(t->name).text,
                         (unsigned long long)relative, part->info.alignment);
    if (!checked_add(part->info.data_offset, relative, &t->offset) ||
        !checked_add(t->offset, t->bytes, &end)) {
        t->offset = GGUF_NO_OFFSET;
        return gguf_fail(err, GGUF_ERR_CORRUPT, gguf_part_record(part, t->name),
                         "%s: tensor %s: offset %llu is beyond any file", part->source.name,
                         gguf_text(t->name).text, (unsigned long long)relative);
    }
    if (end > part->source.size)
        return gguf_fail(err, GGUF_ERR_TRUNCATED, part->source.size,
                         "%s: tensor %s ends at byte %llu, but the file has only %llu of %llu "
                         "bytes: %llu are missing; the file is incomplete, download it again",
                         part->source.name, gguf_text(t->name).text, (unsigned long long)end,
                         (unsigned long long)part->source.size, (unsigned long long)announced,
                         (unsigned long long)(announced - part->source.size));
    return GGUF_OK;
}

/* ---- Overlaps ----------------------------------------------------------------------- */

static int by_offset(const void *a, const void *b)
{
    const struct gguf_tensor *x = *(struct gguf_tensor *const *)a;
    const struct gguf_tensor *y = *(struct gguf_tensor *const *)b;
    if (x->offset != y->offset)
        return x->offset < y->offset ? -1 : 1;
    return x->bytes < y->bytes ? -1 : x->bytes > y->bytes;
}

/* Readable tensors in the order of their data; empty ones overlap nothing. */
static size_t sort_tensors(struct gguf_part *part, struct gguf_tensor **sorted)
{
    size_t n = 0;
    bool in_order = true;
    for (size_t i = 0; i < part->n_tensors; i++) {
        struct gguf_tensor *t = &part->tensors[i];
        if (!t->readable || t->bytes == 0)
            continue;
        in_order = in_order && (n == 0 || sorted[n - 1]->offset <= t->offset);
        sorted[n++] = t;
    }
    if (!in_order)
        qsort(sorted, n, sizeof *sorted, by_offset);
    return n;
}

static enum gguf_status check_overlaps(struct gguf *model, struct gguf_part *part,
                                       struct gguf_error *err)
{
    struct gguf_tensor **sorted = calloc(part->n_tensors ? part->n_tensors : 1, sizeof *sorted);
    if (!sorted)
        return gguf_fail_memory(err);
    size_t n = sort_tensors(part, sorted);
    enum gguf_status status = GGUF_OK;
    struct gguf_tensor *a = n ? sorted[0] : NULL; /* the one so far that ends last */
    for (size_t i = 1; i < n && !status; i++) {
        struct gguf_tensor *b = sorted[i], *before = a;
        if (b->offset + b->bytes > a->offset + a->bytes)
            a = b;
        if (before->offset + before->bytes <= b->offset)
            continue;
        struct gguf_error found;
        gguf_fail(&found, GGUF_ERR_CORRUPT, b->offset,
                  "%s: tensors %s and %s overlap at byte %llu", part->source.name,
                  gguf_text(before->name).text, gguf_text(b->name).text,
                  (unsigned long long)b->offset);
        status = gguf_report(model, &found, err);
    }
    free(sorted);
    return status;
}

enum gguf_status gguf_part_place(struct gguf *model, struct gguf_part *part,
                                 struct gguf_error *err)
{
    enum gguf_status status = find_alignment(part, err);
    uint64_t announced = status ? 0 : announced_bytes(part);
    for (size_t i = 0; i < part->n_tensors && !status; i++) {
        struct gguf_tensor *t = &part->tensors[i];
        struct gguf_error type_error, extent_error;
        enum gguf_status bad_type = check_type(part, t, &type_error);
        enum gguf_status bad_extent = check_extent(part, t, announced, &extent_error);
        t->readable = !bad_type && !bad_extent;
        if (bad_type)
            status = gguf_report(model, &type_error, err);
        if (bad_extent && !status)
            status = gguf_report(model, &extent_error, err);
    }
    return status ? status : check_overlaps(model, part, err);
}
