/*
 * --sweep: the base quantized in memory to each mix, and evaluated beside it. A tensor that
 * several mixes want in the same type is encoded once.
 */
#include "tools/gguf-eval/eval.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* A tensor in another type. */
struct stored {
    uint32_t type;
    void *data;
    uint64_t bytes;
    double rmse; /* relative */
    struct stored *next;
};

struct sweep {
    const struct gguf *gguf;
    struct quant_imatrix *imatrix; /* or NULL */
    struct stored **lists;         /* [tensors] */
    struct quant_choice *choices;  /* [tensors], of the mix at hand */
    struct quant_item *items;      /* likewise */
    char *names;                   /* the list of mixes, cut at its commas */
    const struct quant_mix **mixes;
    size_t n_mixes;
    enum quant_cpu cpu;
};

/* ---- Encoding ------------------------------------------------------------------- */

/* Of one row; added up in the order of the rows, whatever thread had which. */
struct row_sums {
    double error, energy; /* of (x - y)^2 and x^2; energy is INFINITY where x is not finite */
};

/* One tensor on its way from the file to another type. */
struct encoding {
    const struct sweep *sweep;
    const struct gguf_tensor *tensor;
    const struct quant_importance *importance;
    const struct quant_format *from, *to;
    uint64_t row_in, row_out; /* bytes */
    struct stored *stored;
    struct row_sums *sums; /* of each row */
    struct gguf_error err;
    bool failed;
};

/* Working memory of a thread. */
struct row {
    void *source;
    float *x, *y;
};

static bool all_finite(const float *x, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (!isfinite(x[i]))
            return false;
    }
    return true;
}

static struct row_sums sums_of(const float *x, const float *y, size_t n)
{
    struct row_sums sums = {0};
    for (size_t i = 0; i < n; i++) {
        double d = (double)x[i] - (double)y[i];
        sums.error += d * d;
        sums.energy += (double)x[i] * (double)x[i];
    }
    return sums;
}

static bool encode_row(struct encoding *e, const struct row *row, uint64_t index)
{
    size_t n = (size_t)e->tensor->ne[0];
    struct gguf_error err;
    if (gguf_tensor_read(e->sweep->gguf, e->tensor, index * e->row_in, row->source,
                         (size_t)e->row_in, &err) != GGUF_OK) {
#pragma omp critical(sweep_error)
        e->err = err, e->failed = true;
        return false;
    }
    void *out = (unsigned char *)e->stored->data + index * e->row_out;
    e->from->decode(row->source, row->x, n);
    if (!all_finite(row->x, n)) {
        e->sums[index].energy = INFINITY;
        return false;
    }
    e->to->encode(row->x, out, n,
                  quant_importance_row(e->importance, n, index / e->tensor->ne[1]));
    e->to->decode(out, row->y, n);
    e->sums[index] = sums_of(row->x, row->y, n);
    return true;
}

static struct row_sums encode_rows(struct encoding *e)
{
    size_t n = (size_t)e->tensor->ne[0];
    uint64_t rows = e->tensor->elements / e->tensor->ne[0];
    struct row_sums total = {0};
    e->sums = cli_alloc((size_t)rows, sizeof *e->sums);
#pragma omp parallel
    {
        struct row row = {cli_alloc((size_t)e->row_in, 1), cli_alloc(n, sizeof *row.x),
                          cli_alloc(n, sizeof *row.y)};
        bool good = true;
#pragma omp for schedule(dynamic, 16)
        for (uint64_t i = 0; i < rows; i++)
            good = good && encode_row(e, &row, i);
        free(row.source);
        free(row.x);
        free(row.y);
    }
    for (uint64_t i = 0; i < rows; i++) {
        total.error += e->sums[i].error;
        total.energy += e->sums[i].energy;
    }
    free(e->sums);
    return total;
}

static struct stored *encode(const struct sweep *sweep, const struct quant_item *item)
{
    const struct gguf_tensor *t = gguf_tensor_at(sweep->gguf, item->choice.tensor);
    struct stored *stored = cli_alloc(1, sizeof *stored);
    struct encoding e = {.sweep = sweep,
                         .tensor = t,
                         .importance = item->importance,
                         .from = quant_format_at(t->type, sweep->cpu),
                         .to = quant_format_at(item->choice.type, sweep->cpu),
                         .stored = stored};
    stored->type = item->choice.type;
    if (!gguf_type_bytes(stored->type, t->elements, &stored->bytes) ||
        !gguf_type_bytes(stored->type, t->ne[0], &e.row_out) ||
        !gguf_type_bytes(t->type, t->ne[0], &e.row_in))
        cli_die("--sweep: a tensor does not divide into blocks of its type");
    stored->data = cli_alloc((size_t)stored->bytes, 1);
    struct row_sums total = encode_rows(&e);
    if (e.failed)
        die_of("--sweep", &e.err);
    if (!isfinite(total.energy))
        cli_die("--sweep: %.*s has values that are not finite", (int)t->name.size,
                t->name.data);
    stored->rmse = total.energy > 0 ? sqrt(total.error / total.energy) : 0;
    return stored;
}

/* The tensor in that type, encoded now if no mix has wanted it yet. */
static const struct stored *find_stored(struct sweep *sweep, const struct quant_item *item)
{
    struct stored **list = &sweep->lists[item->choice.tensor];
    for (struct stored *s = *list; s; s = s->next) {
        if (s->type == item->choice.type)
            return s;
    }
    struct stored *new = encode(sweep, item);
    new->next = *list;
    return *list = new;
}

/* ---- Mixes ---------------------------------------------------------------------- */

static const struct quant_mix *find_mix(const char *name)
{
    const struct quant_mix *mix = quant_mix_by_name(name);
    if (!mix)
        cli_die("--sweep: there is no type \"%s\"; see gguf-quant --list", name);
    if (!mix->can_encode)
        cli_die("--sweep: %s can be read but not made here; see gguf-quant --list", mix->name);
    return mix;
}

static void plan(struct sweep *sweep, const struct quant_mix *mix, struct subject *s)
{
    struct gguf_error err;
    size_t n = gguf_tensor_count(sweep->gguf);
    const struct quant_recipe recipe = {.mix = mix,
                                        .has_imatrix = sweep->imatrix != NULL,
                                        .output_type = QUANT_TYPE_NONE,
                                        .embedding_type = QUANT_TYPE_NONE};
    const struct quant_settings settings = {.cpu = sweep->cpu};
    if (quant_output_bytes(sweep->gguf, &recipe, sweep->choices, &s->bytes, &err) != GGUF_OK)
        die_of(mix->name, &err);
    for (size_t i = 0; i < n; i++) {
        struct quant_choice choice = sweep->choices[i];
        struct gguf_str name = gguf_tensor_at(sweep->gguf, choice.tensor)->name;
        sweep->items[i] = (struct quant_item){
            .choice = choice,
            .importance = sweep->imatrix ? quant_imatrix_find(sweep->imatrix, name) : NULL};
    }
    if (quant_check(sweep->gguf, sweep->items, n, &settings, &err) != GGUF_OK)
        die_of(mix->name, &err);
}

/* Gives the model a tensor of another type. One that the network does not use is skipped. */
static void replace(struct subject *s, const struct gguf_tensor *t, const struct stored *stored)
{
    char name[GGUF_MAX_NAME + 1];
    struct gguf_error err;
    memcpy(name, t->name.data, t->name.size);
    name[t->name.size] = '\0';
    const struct model_replacement with = {name, stored->type, stored->data, stored->bytes};
    enum gguf_status status = model_replace(s->model, &with, &err);
    if (status != GGUF_OK && status != GGUF_ERR_ARGUMENT)
        die_of(s->name, &err);
}

static void quantize(struct sweep *sweep, struct subject *s)
{
    s->tensor_rmse = cli_alloc(gguf_tensor_count(sweep->gguf), sizeof *s->tensor_rmse);
    for (size_t i = 0; i < gguf_tensor_count(sweep->gguf); i++) {
        const struct quant_item *item = &sweep->items[i];
        const struct gguf_tensor *t = gguf_tensor_at(sweep->gguf, item->choice.tensor);
        s->weights += t->elements;
        if (item->choice.type == t->type) {
            s->weight_bytes += t->bytes;
            continue;
        }
        const struct stored *stored = find_stored(sweep, item);
        s->weight_bytes += stored->bytes;
        s->tensor_rmse[item->choice.tensor] = stored->rmse;
        replace(s, t, stored);
    }
}

static void add_subject(struct subjects *subjects, const struct quant_mix *mix,
                        const struct request *r)
{
    struct gguf_error err;
    struct sweep *sweep = subjects->sweep;
    const struct model_settings settings = {
        .activations = r->activations, .threads = r->threads, .has_cpu = true, .cpu = r->cpu};
    subjects->list = cli_grow(subjects->list, subjects->count + 1, sizeof *subjects->list);
    struct subject *s = &subjects->list[subjects->count++];
    *s = (struct subject){.is_sweep = true, .gguf = subjects->list[0].gguf};
    subject_name(s, mix->name);
    plan(sweep, mix, s);
    if (model_open(&s->model, s->gguf, &settings, &err) != GGUF_OK)
        die_of(mix->name, &err);
    if (!r->quiet)
        fprintf(stderr, "gguf-eval: quantizing to %s\n", mix->name);
    quantize(sweep, s);
}

void sweep_open(struct subjects *subjects, const struct request *r)
{
    struct gguf_error err;
    struct sweep *sweep = subjects->sweep = cli_alloc(1, sizeof *sweep);
    sweep->gguf = subjects->list[0].gguf;
    sweep->cpu = r->cpu;
    size_t n = gguf_tensor_count(sweep->gguf), size = strlen(r->sweep) + 1;
    if (r->imatrix && quant_imatrix_open(&sweep->imatrix, r->imatrix, &err) != GGUF_OK)
        die_of(r->imatrix, &err);
    sweep->lists = cli_alloc(n, sizeof(struct stored *));
    sweep->choices = cli_alloc(n, sizeof *sweep->choices);
    sweep->items = cli_alloc(n, sizeof *sweep->items);
    sweep->names = cli_alloc(size, 1);
    memcpy(sweep->names, r->sweep, size);
    for (char *name = sweep->names, *end; name; name = end) {
        end = strchr(name, ',');
        if (end)
            *end++ = '\0';
        sweep->mixes = cli_grow(sweep->mixes, sweep->n_mixes + 1, sizeof *sweep->mixes);
        sweep->mixes[sweep->n_mixes++] = find_mix(name);
    }
    for (size_t i = 0; i < sweep->n_mixes; i++)
        add_subject(subjects, sweep->mixes[i], r);
}

void sweep_close(struct sweep *sweep)
{
    if (!sweep)
        return;
    for (size_t i = 0; i < gguf_tensor_count(sweep->gguf); i++) {
        for (struct stored *s = sweep->lists[i], *next; s; s = next) {
            next = s->next;
            free(s->data);
            free(s);
        }
    }
    free(sweep->lists);
    free(sweep->choices);
    free(sweep->items);
    free(sweep->names);
    free(sweep->mixes);
    quant_imatrix_close(sweep->imatrix);
    free(sweep);
}
