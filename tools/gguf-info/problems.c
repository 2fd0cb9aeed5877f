/* What gguf_open found wrong with a file that can be shown all the same. */
#include "tools/gguf-info/info.h"

#include "libgguf/checked.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* Data that a file announces and does not have. */
struct cut {
    uint64_t expected;               /* bytes of the whole file */
    size_t tensors;                  /* not all there */
    const struct gguf_tensor *first; /* of these in the file */
};

static struct cut measure_cut(const struct gguf *model, const struct gguf_file *file)
{
    struct cut cut = {0};
    for (size_t i = 0; i < file->tensor_count; i++) {
        const struct gguf_tensor *t = gguf_tensor_at(model, file->first_tensor + i);
        uint64_t end = add_saturated(t->offset, t->bytes);
        if (t->readable || t->bytes == 0 || end <= file->file_bytes || end >= CHECKED_MAX)
            continue;
        cut.tensors++;
        cut.expected = end > cut.expected ? end : cut.expected;
        cut.first = !cut.first || t->offset < cut.first->offset ? t : cut.first;
    }
    return cut;
}

/* One error for a file that is cut short, however many tensors that concerns. */
static bool describe_cut(const struct gguf *model, const struct gguf_file *file,
                         struct gguf_error *err)
{
    struct cut cut = measure_cut(model, file);
    char path[400], name[160], more[64] = "";
    if (cut.tensors == 0)
        return false;
    gguf_str_escape(path, sizeof path, (struct gguf_str){file->path, strlen(file->path)});
    gguf_str_escape(name, sizeof name, cut.first->name);
    if (cut.tensors > 1)
        snprintf(more, sizeof more, " and %zu more", cut.tensors - 1);
    *err = (struct gguf_error){.status = GGUF_ERR_TRUNCATED, .offset = file->file_bytes};
    snprintf(err->message, sizeof err->message,
             "%s: the file has %" PRIu64 " of %" PRIu64 " bytes: %" PRIu64
             " are missing, with data of %s%s; it is incomplete, download it again",
             path, file->file_bytes, cut.expected, cut.expected - file->file_bytes, name, more);
    return true;
}

static void add(struct problems *p, const struct gguf_error *err)
{
    p->list = cli_grow(p->list, p->count + 1, sizeof *p->list);
    p->list[p->count++] = *err;
}

struct problems problems_new(const struct gguf *model)
{
    struct problems p = {NULL, 0, 0};
    struct gguf_error cut;
    const struct gguf_error *err;
    size_t kept = 0;
    for (size_t i = 0; gguf_problem_count(model) && i < gguf_file_count(model); i++) {
        if (describe_cut(model, gguf_file_at(model, i), &cut))
            add(&p, &cut);
    }
    bool is_cut = p.count > 0;
    for (; (err = gguf_problem_at(model, kept)); kept++) {
        if (!is_cut || err->status != GGUF_ERR_TRUNCATED)
            add(&p, err);
    }
    if (!is_cut)
        p.more = gguf_problem_count(model) - kept;
    return p;
}

void problems_free(struct problems *problems)
{
    free(problems->list);
    *problems = (struct problems){NULL, 0, 0};
}
