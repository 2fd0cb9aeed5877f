/* --verify: reads every tensor; scales that are NaN or infinite, and data that is all zero. */
#include "tools/gguf-info/info.h"

#include "quant/quant.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* What one part, and then one tensor, holds. */
struct data_facts {
    uint64_t invalid;       /* blocks with a NaN or infinite scale */
    uint64_t first_invalid; /* block, counted from the start of the tensor */
    uint64_t bytes, zero_bytes;
};

static uint64_t count_zero_bytes(const unsigned char *p, size_t n)
{
    uint64_t zeros = 0;
    for (size_t i = 0; i < n; i++)
        zeros += p[i] == 0;
    return zeros;
}

static void check_part(const struct scan_part *part, void *result)
{
    struct data_facts *facts = result;
    const struct gguf_type_info *type = gguf_type_find(part->tensor->type);
    const unsigned char *raw = part->raw;
    size_t n = part->elements / type->block_elements, at = 0;
    facts->bytes = part->bytes;
    facts->zero_bytes = count_zero_bytes(raw, part->bytes);
    while (at < n) {
        size_t found = quant_find_invalid(type->id, raw + at * type->block_bytes, n - at);
        if (found == SIZE_MAX)
            break;
        if (facts->invalid++ == 0)
            facts->first_invalid = part->first / type->block_elements + at + found;
        at += found + 1;
    }
}

static void merge_part(const struct scan_part *part, const void *result, void *user)
{
    struct data_facts *all = (struct data_facts *)user + part->index;
    const struct data_facts *one = result;
    if (!all->invalid)
        all->first_invalid = one->first_invalid;
    all->invalid += one->invalid;
    all->bytes += one->bytes;
    all->zero_bytes += one->zero_bytes;
}

static void report_invalid(struct verify *v, const struct gguf_tensor *t,
                           const struct data_facts *facts)
{
    const struct gguf_type_info *type = gguf_type_find(t->type);
    uint64_t first = facts->first_invalid * type->block_elements;
    if (type->block_elements == 1)
        verify_problem(v, t->name, "NaN or infinity in %s, the first at index %" PRIu64,
                       text_plural(facts->invalid, "value").text, first);
    else
        verify_problem(v, t->name,
                       "%s of %s with a NaN or infinite scale, the first at block %" PRIu64
                       " (element %" PRIu64 ")",
                       text_plural(facts->invalid, "block").text, type->name,
                       facts->first_invalid, first);
}

static bool ends_with(struct gguf_str s, const char *suffix)
{
    size_t n = strlen(suffix);
    return s.size >= n && memcmp(s.data + s.size - n, suffix, n) == 0;
}

/* A bias may be zero; a trained weight is not. */
static void report_zero(struct verify *v, const struct gguf_tensor *t)
{
    static const char text[] = "all %s of data are zero: an interrupted write or download";
    if (ends_with(t->name, ".weight"))
        verify_problem(v, t->name, text, text_plural(t->bytes, "byte").text);
}

enum gguf_status verify_data(struct verify *verify, const struct info *info, uint64_t *bytes,
                             struct gguf_error *err)
{
    struct request everything = {.threads = info->request->threads};
    struct selection s = selection_new(info->model, &everything);
    struct data_facts *facts = cli_alloc(s.count, sizeof *facts);
    struct scan scan = {.model = info->model,
                        .selection = s,
                        .threads = everything.threads,
                        .quiet = info->request->quiet,
                        .result_size = sizeof *facts,
                        .work = check_part,
                        .merge = merge_part,
                        .user = facts};
    enum gguf_status status = scan_run(&scan, err);
    for (size_t i = 0; i < s.count; i++) {
        *bytes += facts[i].bytes;
        if (facts[i].invalid)
            report_invalid(verify, s.tensors[i], &facts[i]);
        if (facts[i].bytes && facts[i].zero_bytes == s.tensors[i]->bytes)
            report_zero(verify, s.tensors[i]);
    }
    free(facts);
    selection_free(&s);
    return status;
}
