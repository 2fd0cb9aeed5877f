/* Sums over the tensors of a run: by type, by group. */
#include "tools/gguf-quant/job.h"

#include <stdlib.h>
#include <string.h>

const char *type_name(uint32_t type)
{
    const struct gguf_type_info *info = gguf_type_find(type);
    return info ? info->name : "unknown";
}

bool was_converted(const struct job *job, const struct quant_item *item)
{
    return item->choice.type != job_tensor(job, item)->type;
}

static void add_item(struct sum *sum, const struct job *job, const struct quant_item *item)
{
    sum->tensors++;
    sum->parameters += job_tensor(job, item)->elements;
    sum->bytes_in += job_tensor(job, item)->bytes;
    sum->bytes_out += job_item_bytes(job, item);
    sum->error += item->error;
    sum->energy += item->energy;
}

double sum_bits(const struct sum *sum)
{
    return sum->parameters ? 8 * (double)sum->bytes_out / (double)sum->parameters : 0;
}

double sum_rmse(const struct sum *sum)
{
    struct quant_item whole = {.error = sum->error, .energy = sum->energy};
    return quant_item_rmse(&whole);
}

struct sum sum_of_type(const struct job *job, uint32_t type)
{
    struct sum sum = {0};
    for (size_t i = 0; i < job->n_items; i++) {
        if (job->items[i].choice.type == type)
            add_item(&sum, job, &job->items[i]);
    }
    return sum;
}

struct sum sum_of_all(const struct job *job)
{
    struct sum sum = {0};
    for (size_t i = 0; i < job->n_items; i++)
        add_item(&sum, job, &job->items[i]);
    return sum;
}

/* ---- Groups ----------------------------------------------------------------------------- */

/* "blk.12.ffn_down.weight" belongs to "ffn_down", "output.weight" to "output". */
static struct gguf_str group_of(struct gguf_str name)
{
    const char *p = name.data, *end = name.data + name.size;
    if (name.size > 4 && memcmp(p, "blk.", 4) == 0) {
        p += 4;
        while (p < end && *p >= '0' && *p <= '9')
            p++;
        p += p < end && *p == '.';
    }
    if (end - p > 7 && memcmp(end - 7, ".weight", 7) == 0)
        end -= 7;
    return (struct gguf_str){p, (size_t)(end - p)};
}

static int by_first(const void *a, const void *b)
{
    size_t x = ((const struct group *)a)->first, y = ((const struct group *)b)->first;
    return (x > y) - (x < y);
}

static int by_name(const void *a, const void *b)
{
    const struct group *x = a, *y = b;
    int order = gguf_str_compare(x->name, y->name);
    return order ? order : by_first(a, b);
}

/* Adds "Q6_K" to a list "Q4_K, Q5_K" that does not have it. */
static void add_type(char *list, size_t size, const char *name)
{
    size_t n = strlen(name), used = strlen(list);
    for (const char *p = list; (p = strstr(p, name)); p += n) {
        if ((p == list || p[-1] == ' ') && (p[n] == '\0' || p[n] == ','))
            return;
    }
    snprintf(list + used, size - used, "%s%s", used ? ", " : "", name);
}

/* Joins neighbours of one name: the number of groups. */
static size_t join(struct group *groups, size_t n, const struct job *job)
{
    size_t used = 0;
    for (size_t i = 0; i < n; i++) {
        const struct quant_item *item = &job->items[groups[i].first];
        if (used == 0 || gguf_str_compare(groups[used - 1].name, groups[i].name) != 0)
            groups[used++] = groups[i];
        add_item(&groups[used - 1].sum, job, item);
        add_type(groups[used - 1].types, sizeof groups->types, type_name(item->choice.type));
    }
    return used;
}

struct group *groups_make(const struct job *job, size_t *count)
{
    struct group *groups = cli_alloc(job->n_items, sizeof *groups);
    size_t n = 0;
    for (size_t i = 0; i < job->n_items; i++) {
        if (was_converted(job, &job->items[i]))
            groups[n++] = (struct group){
                .name = group_of(job_tensor(job, &job->items[i])->name), .first = i};
    }
    qsort(groups, n, sizeof *groups, by_name);
    *count = join(groups, n, job);
    qsort(groups, *count, sizeof *groups, by_first);
    return groups;
}
