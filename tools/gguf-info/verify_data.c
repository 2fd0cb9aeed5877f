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
    uint64_t bytes;
    uint64_t hole, longest_hole; /* bytes of parts in a row that are all zero */
};

/* A hole of this size is worth a remark. */
#define HOLE 65536

static bool is_all_zero(const unsigned char *p, size_t n)
{
    return n == 0 || (p[0] == 0 && memcmp(p, p + 1, n - 1) == 0);
}

static void check_part(const struct scan_part *part, void *result)
{
    struct data_facts *facts = result;
    const struct gguf_type_info *type = gguf_type_find(part->tensor->type);
    const unsigned char *raw = part->raw;
    size_t n = part->elements / type->block_elements, at = 0;
    facts->bytes = part->bytes;
    facts->hole = is_all_zero(raw, part->bytes) ? part->bytes : 0;
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
    all->hole = one->hole ? all->hole + one->hole : 0;
    if (all->hole > all->longest_hole)
        all->longest_hole = all->hole;
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

/* A bias may be zero; a trained weight is not. Rows of an embedding may be: tokens that
 * never occurred. */
static void report_zeros(struct verify *v, const struct gguf_tensor *t,
                         const struct data_facts *facts)
{
    struct text_shape hole = text_plural(facts->longest_hole, "byte");
    if (!ends_with(t->name, ".weight"))
        return;
    if (facts->longest_hole && facts->longest_hole == t->bytes)
        verify_problem(v, t->name, "all %s of data are zero: an interrupted write or download",
                       hole.text);
    else if (facts->longest_hole >= HOLE)
        verify_warning(v, t->name,
                       "%s of data in a row are zero: perhaps an interrupted write or download",
                       hole.text);
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
        report_zeros(verify, s.tensors[i], &facts[i]);
    }
    free(facts);
    selection_free(&s);
    return status;
}
