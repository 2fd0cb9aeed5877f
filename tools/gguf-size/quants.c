/* --quants: the model as every mix would make it. */
#include "tools/gguf-size/size.h"

#include <stdlib.h>
#include <string.h>

/*
 * Mean Kullback-Leibler divergence of the token distributions from F16, and growth of
 * perplexity, of Llama 3 8B on Wikitext-2: the table in llama.cpp, tools/perplexity/README.md
 * (revision f364eb6f); without an importance matrix where the table has such a row, with one
 * for the IQ types and Q2_K_S. Larger models lose less, smaller ones more. F32, F16 and BF16
 * lose nothing that can be seen.
 */
static const struct quality qualities[] = {
    {"F32", 0, 0},
    {"F16", 0, 0},
    {"BF16", 0, 0},
    {"Q8_0", 0.001355, 0.0004},
    {"Q6_K", 0.005452, 0.0035},
    {"Q5_K_M", 0.010762, 0.0091},
    {"Q5_K_S", 0.016595, 0.0168},
    {"Q5_1", 0.018045, 0.0170},
    {"Q5_0", 0.022239, 0.0211},
    {"Q4_K_M", 0.031273, 0.0282},
    {"IQ4_NL", 0.035742, 0.0359},
    {"IQ4_XS", 0.036334, 0.0366},
    {"Q4_K_S", 0.043136, 0.0431},
    {"Q4_1", 0.071683, 0.0724},
    {"Q4_0", 0.071940, 0.0752},
    {"Q3_K_L", 0.087176, 0.0893},
    {"Q3_K_M", 0.101913, 0.1054},
    {"IQ3_M", 0.102534, 0.1070},
    {"IQ3_S", 0.111278, 0.1178},
    {"IQ3_XS", 0.138693, 0.1495},
    {"IQ3_XXS", 0.183625, 0.1969},
    {"Q3_K_S", 0.228217, 0.2619},
    {"IQ2_M", 0.325989, 0.3802},
    {"Q2_K_S", 0.403360, 0.4962},
    {"IQ2_S", 0.439197, 0.5487},
    {"Q2_K", 0.445132, 0.5648},
    {"IQ2_XS", 0.546290, 0.7269},
    {"IQ2_XXS", 0.812022, 1.2613},
    {"IQ1_M", 1.393084, 3.0910},
    {"IQ1_S", 2.211278, 8.3231},
};

static const struct quality *quality_find(const char *mix)
{
    for (size_t i = 0; i < sizeof qualities / sizeof qualities[0]; i++) {
        if (strcmp(mix, qualities[i].mix) == 0)
            return &qualities[i];
    }
    return NULL;
}

/* COPY has no types of its own. */
static bool is_listed(const struct quant_mix *mix)
{
    return mix->can_encode && mix->base != QUANT_TYPE_NONE;
}

uint64_t mix_weights(struct weights *w, const struct subject *subject,
                     const struct quant_mix *mix)
{
    struct gguf_error err;
    uint64_t bytes;
    struct quant_recipe recipe = {
        .mix = mix, .output_type = QUANT_TYPE_NONE, .embedding_type = QUANT_TYPE_NONE};
    struct quant_choice *choices =
        cli_alloc(gguf_tensor_count(subject->model), sizeof *choices);
    if (quant_output_bytes(subject->model, &recipe, choices, &bytes, &err))
        cli_die("%s: %s", subject->name, err.message);
    weights_collect(w, subject, choices);
    free(choices);
    return bytes;
}

static void fill_row(struct quant_row *row, const struct situation *s,
                     const struct quant_mix *mix)
{
    struct weights *w = cli_alloc(1, sizeof *w);
    struct situation own = *s;
    own.weights = w;
    row->mix = mix;
    row->file_bytes = mix_weights(w, s->subject, mix);
    row->bits = w->elements ? 8 * (double)w->total / (double)w->elements : 0;
    row->quality = quality_find(mix->name);
    plan_make(&row->plan, &own);
    row->total_bytes = plan_total(&row->plan);
    free(w);
}

/* Whole on the GPU before partly, partly before RAM alone; then the best quality; then the
 * smaller file. */
static bool is_better(const struct quant_row *a, const struct quant_row *b)
{
    if (a->plan.verdict != b->plan.verdict)
        return a->plan.verdict < b->plan.verdict;
    if (a->quality->divergence != b->quality->divergence)
        return a->quality->divergence < b->quality->divergence;
    return a->file_bytes < b->file_bytes;
}

static bool may_be_recommended(const struct quant_row *row)
{
    return row->plan.verdict != VERDICT_NO && row->quality &&
           row->quality->divergence <= QUALITY_LIMIT;
}

static const char *where(const struct quant_row *row)
{
    static const char *const names[] = {"whole on the GPU", "with a part in RAM", "in RAM"};
    return names[row->plan.verdict];
}

/* A mix that loses little and is much faster than the best one, where that one does not fit
 * on the GPU as a whole; NULL if there is none. */
static const struct quant_row *find_faster(const struct quant_table *t)
{
    const double little = 0.05, much = 1.5;
    const struct quant_row *fastest = t->best;
    for (size_t i = 0; i < t->n; i++) {
        const struct quant_row *row = &t->rows[i];
        if (may_be_recommended(row) && row->quality->divergence <= little &&
            row->plan.generate.expected > fastest->plan.generate.expected)
            fastest = row;
    }
    bool whole = t->best->plan.verdict == VERDICT_GPU;
    double slow = t->best->plan.generate.expected, fast = fastest->plan.generate.expected;
    return !whole && slow > 0 && fast >= much * slow ? fastest : NULL;
}

static void explain_faster(struct quant_table *t)
{
    const struct quant_row *faster = find_faster(t);
    size_t used = strlen(t->reason);
    if (faster)
        snprintf(t->reason + used, sizeof t->reason - used,
                 "; %s loses a little more and is %.1f times as fast", faster->mix->name,
                 faster->plan.generate.expected / t->best->plan.generate.expected);
}

static void explain(struct quant_table *t)
{
    size_t fitting = 0;
    for (size_t i = 0; i < t->n; i++)
        fitting += t->rows[i].plan.verdict != VERDICT_NO;
    if (t->best)
        snprintf(t->reason, sizeof t->reason,
                 "%s is the best quality that fits %s with a context of %llu",
                 t->best->mix->name, where(t->best),
                 (unsigned long long)t->best->plan.run.context);
    else if (fitting)
        snprintf(t->reason, sizeof t->reason,
                 "only mixes of about 3 bits or less fit: a smaller model with more bits is "
                 "better than this one with so few");
    else
        snprintf(t->reason, sizeof t->reason,
                 "no mix fits: a smaller model, a smaller context or more memory is needed");
}

void quants_make(struct quant_table *table, const struct situation *s)
{
    *table = (struct quant_table){0};
    for (size_t i = 0; quant_mix_at(i); i++) {
        if (!is_listed(quant_mix_at(i)))
            continue;
        table->rows = cli_grow(table->rows, table->n + 1, sizeof *table->rows);
        table->rows[table->n] = (struct quant_row){0};
        fill_row(&table->rows[table->n++], s, quant_mix_at(i));
    }
    struct quant_row *best = NULL;
    for (size_t i = 0; i < table->n; i++) {
        struct quant_row *row = &table->rows[i];
        if (may_be_recommended(row) && (!best || is_better(row, best)))
            best = row;
    }
    if (best)
        best->recommended = true;
    table->best = best;
    explain(table);
    if (best)
        explain_faster(table);
}

void quants_free(struct quant_table *table)
{
    free(table->rows);
}
