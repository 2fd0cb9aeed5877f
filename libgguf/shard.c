/* Shard sets: PREFIX-00001-of-0000N.gguf in one folder, read as one model. */
#include "libgguf/internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* ---- Names ------------------------------------------------------------------------------ */

#define SUFFIX_SIZE 20 /* "-00002-of-00009.gguf" */

static bool read_five_digits(const char *p, uint32_t *number)
{
    *number = 0;
    for (int i = 0; i < 5; i++) {
        if (p[i] < '0' || p[i] > '9')
            return false;
        *number = *number * 10 + (uint32_t)(p[i] - '0');
    }
    return true;
}

bool gguf_shard_parse(const char *path, size_t *prefix_size, uint32_t *number, uint32_t *count)
{
    size_t n = strlen(path);
    if (n <= SUFFIX_SIZE)
        return false;
    const char *suffix = path + n - SUFFIX_SIZE;
    uint32_t no, of;
    if (suffix[-1] == '/' || suffix[0] != '-' || !read_five_digits(suffix + 1, &no) ||
        memcmp(suffix + 6, "-of-", 4) != 0 || !read_five_digits(suffix + 10, &of) ||
        strcmp(suffix + 15, ".gguf") != 0 || no == 0 || no > of)
        return false;
    *prefix_size = n - SUFFIX_SIZE;
    *number = no;
    *count = of;
    return true;
}

bool gguf_shard_path(char *out, size_t out_size, struct gguf_str prefix, uint32_t number,
                     uint32_t count)
{
    if (number == 0 || number > count || count > 99999 || prefix.size + SUFFIX_SIZE >= out_size)
        return false;
    memcpy(out, prefix.data, prefix.size);
    snprintf(out + prefix.size, out_size - prefix.size, "-%05u-of-%05u.gguf", (unsigned)number,
             (unsigned)count);
    return true;
}

/* ---- Sets --------------------------------------------------------------------------- */

#define KEEP_OPEN 64 /* files of a larger set are opened for each read */

/* A set that is being opened. */
struct set {
    struct gguf *model;
    struct gguf_str prefix;
    uint32_t count;  /* shards that the files announce */
    uint32_t number; /* of the file that was named, 1-based */
    size_t missing;
};

static char *path_of(const struct set *set, uint32_t number)
{
    size_t size = set->prefix.size + SUFFIX_SIZE + 1;
    char *path = malloc(size);
    if (path)
        gguf_shard_path(path, size, set->prefix, number, set->count);
    return path;
}

static enum gguf_status report(struct set *set, const struct gguf_error *found,
                               struct gguf_error *err)
{
    return gguf_report(set->model, found, err);
}

/* Missing files are looked for before any is read, and named together. */
static enum gguf_status check_missing(struct set *set, struct gguf_error *err)
{
    char names[600] = "";
    for (uint32_t i = 1; i <= set->count; i++) {
        struct stat st;
        char *path = path_of(set, i);
        if (!path)
            return gguf_fail_memory(err);
        if (i != set->number && stat(path, &st) != 0) {
            const char *slash = strrchr(path, '/');
            size_t used = strlen(names);
            if (set->missing < 4)
                snprintf(names + used, sizeof names - used, "%s%.130s", used ? ", " : "",
                         slash ? slash + 1 : path);
            set->missing++;
        }
        free(path);
    }
    if (!set->missing)
        return GGUF_OK;
    struct gguf_error found;
    gguf_fail(
        &found, GGUF_ERR_SHARDS, GGUF_NO_OFFSET,
        "%s: %zu of the model's %u shards are missing: %s%s; put all of them in one folder",
        set->model->parts[0].path, set->missing, (unsigned)set->count, names,
        set->missing > 4 ? ", ..." : "");
    return report(set, &found, err);
}

static bool part_u64(const struct gguf_part *part, const char *key, uint64_t *out)
{
    const struct gguf_kv *kv = gguf_part_find(part, key);
    return kv && gguf_value_u64(kv->value, out);
}

/* What a shard says of itself must be what its name says. */
static enum gguf_status check_part(struct set *set, const struct gguf_part *part,
                                   uint32_t number, struct gguf_error *err)
{
    uint64_t no = UINT64_MAX, count = 0;
    part_u64(part, "split.no", &no);
    part_u64(part, "split.count", &count);
    if (no == number - 1 && count == set->count)
        return GGUF_OK;
    struct gguf_error found;
    gguf_fail(&found, GGUF_ERR_SHARDS, GGUF_NO_OFFSET,
              "%s: belongs to another set: expected split.no %u and split.count %u, found %lld "
              "and %llu",
              part->path, (unsigned)number - 1, (unsigned)set->count, (long long)no,
              (unsigned long long)count);
    return report(set, &found, err);
}

/* Opens and validates one sibling into the next free part. */
static enum gguf_status open_sibling(struct set *set, char *path, struct gguf_error *err)
{
    struct gguf_part *part = &set->model->parts[set->model->n_parts++];
    *part = (struct gguf_part){.path = path, .source.fd = -1};
    enum gguf_status status = gguf_source_open(&part->source, path, err);
    if (status)
        return status;
    status = gguf_part_load(part, err);
    return status ? status : gguf_part_place(set->model, part, err);
}

/* Shard `number` into the next part: the one that was named is open already. */
static enum gguf_status add_shard(struct set *set, const struct gguf_part *named,
                                  uint32_t number, struct gguf_error *err)
{
    struct stat st;
    if (number == set->number) {
        set->model->parts[set->model->n_parts++] = *named;
    } else {
        char *path = path_of(set, number);
        if (!path)
            return gguf_fail_memory(err);
        if (set->missing && stat(path, &st) != 0) { /* was reported */
            free(path);
            return GGUF_OK;
        }
        enum gguf_status status = open_sibling(set, path, err);
        if (status)
            return status;
    }
    struct gguf_part *part = &set->model->parts[set->model->n_parts - 1];
    if (set->count > KEEP_OPEN)
        gguf_source_set_aside(&part->source);
    return check_part(set, part, number, err);
}

static enum gguf_status open_siblings(struct set *set, struct gguf_error *err)
{
    struct gguf_part named = set->model->parts[0];
    set->model->n_parts = 0;
    enum gguf_status status = GGUF_OK;
    uint32_t i = 1;
    for (; i <= set->count && !status; i++)
        status = add_shard(set, &named, i, err);
    if (i <= set->number) /* failed before its turn came: it is freed with the others */
        set->model->parts[set->model->n_parts++] = named;
    return status;
}

/* Every shard that announces a total announces that of the set. */
static enum gguf_status check_total(struct set *set, struct gguf_error *err)
{
    const struct gguf *model = set->model;
    uint64_t announced, total = 0;
    enum gguf_status status = GGUF_OK;
    for (size_t i = 0; i < model->n_parts; i++)
        total += model->parts[i].n_tensors;
    for (size_t i = 0; i < model->n_parts && !status && !set->missing; i++) {
        const struct gguf_part *part = &model->parts[i];
        if (!part_u64(part, "split.tensors.count", &announced) || announced == total)
            continue;
        struct gguf_error found;
        gguf_fail(&found, GGUF_ERR_SHARDS, GGUF_NO_OFFSET,
                  "%s: split.tensors.count announces %llu tensors, the shards hold %llu",
                  part->path, (unsigned long long)announced, (unsigned long long)total);
        status = report(set, &found, err);
    }
    return status;
}

/* Which set the file is one of, by its metadata and its name. `count` is left 0 where it is
 * read alone: it is no shard, or (kept as a problem) its siblings cannot be found. */
static enum gguf_status find_set(struct set *set, struct gguf_error *err)
{
    const struct gguf_part *named = &set->model->parts[0];
    struct gguf_error found;
    uint64_t count = 0;
    uint32_t name_count;
    if (!part_u64(named, "split.count", &count) || count <= 1)
        return GGUF_OK;
    if (count > GGUF_MAX_SHARDS) {
        gguf_fail(&found, GGUF_ERR_SHARDS, GGUF_NO_OFFSET,
                  "%s: split.count is %llu; a model has at most %d shards", named->path,
                  (unsigned long long)count, GGUF_MAX_SHARDS);
        return report(set, &found, err);
    }
    if (!gguf_shard_parse(named->path, &set->prefix.size, &set->number, &name_count) ||
        name_count != count) {
        gguf_fail(&found, GGUF_ERR_SHARDS, GGUF_NO_OFFSET,
                  "%s: is one of %llu shards, but its name is not of the form "
                  "NAME-00001-of-%05llu.gguf, by which the others are found; rename it",
                  named->path, (unsigned long long)count, (unsigned long long)count);
        return report(set, &found, err);
    }
    set->prefix.data = named->path;
    set->count = (uint32_t)count;
    return GGUF_OK;
}

enum gguf_status gguf_open_shards(struct gguf *model, struct gguf_error *err)
{
    struct set set = {.model = model};
    enum gguf_status status = find_set(&set, err);
    if (status || set.count == 0)
        return status;
    status = check_missing(&set, err);
    if (status)
        return status;
    struct gguf_part *parts = realloc(model->parts, set.count * sizeof *parts);
    if (!parts)
        return gguf_fail_memory(err);
    model->parts = parts;
    status = open_siblings(&set, err);
    return status ? status : check_total(&set, err);
}
