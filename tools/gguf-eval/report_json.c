/* What was measured, for programs: one object. */
#include "tools/gguf-eval/eval.h"

#include <stdio.h>

static void json_mean(cJSON *o, const char *name, const char *error, struct metrics_mean mean)
{
    json_f64(o, name, mean.value);
    json_f64(o, error, mean.error);
}

static void json_dp(cJSON *o, const struct metrics_summary *s)
{
    json_mean(o, "dp_mean", "dp_mean_error", s->dp);
    json_mean(o, "dp_rms", "dp_rms_error", s->dp_rms);
    cJSON *percentiles = json_add_object(o, "dp_percentiles");
    for (size_t i = 0; i < METRICS_DP_PERCENTILES; i++) {
        char name[16];
        snprintf(name, sizeof name, "%g", metrics_dp_percentile[i]);
        json_f64(percentiles, name, s->dp_percentile[i]);
    }
}

static void json_subject(cJSON *array, const struct measurement *m, const struct subject *x,
                         bool is_base)
{
    const struct metrics_summary *s = &x->summary;
    cJSON *o = json_add_object(array, NULL);
    json_text(o, "file", x->name);
    if (x->is_sweep)
        json_text(o, "mix", x->name);
    json_bool(o, "base", is_base);
    json_u64(o, "bytes", x->bytes);
    json_u64(o, "parameters", x->weights);
    json_f64(o, "bpw", subject_bpw(x));
    json_mean(o, "perplexity", "perplexity_error", s->perplexity);
    json_mean(o, "perplexity_ratio", "perplexity_ratio_error", s->ratio);
    json_f64(o, "correlation", s->correlation);
    json_mean(o, "kld_mean", "kld_error", s->kld);
    json_f64(o, "kld_median", s->kld_median);
    json_f64(o, "kld_p90", s->kld_p90);
    json_f64(o, "kld_p95", s->kld_p95);
    json_f64(o, "kld_p99", s->kld_p99);
    json_f64(o, "kld_p999", s->kld_p999);
    json_f64(o, "kld_max", s->kld_max);
    json_mean(o, "top1_agreement", "top1_error", s->top1);
    json_f64(o, "top5_agreement", s->top5);
    json_dp(o, s);
    if (m->scored_bytes)
        json_f64(o, "bits_per_byte", bits_per_byte(m, x));
    else
        json_null(o, "bits_per_byte");
    json_u64(o, "tokens", x->tokens);
    json_f64(o, "seconds", x->seconds);
    json_f64(o, "tokens_per_second", x->seconds > 0 ? (double)x->tokens / x->seconds : 0);
}

void report_json(const struct measurement *m, const struct subjects *s, const struct request *r)
{
    cJSON *root = json_object();
    json_text(root, "text", r->text ? r->text : r->tokens);
    json_u64(root, "text_tokens", m->tokens.count);
    json_u64(root, "chunk", m->chunk);
    if (m->stride)
        json_u64(root, "stride", m->stride);
    else
        json_null(root, "stride");
    json_u64(root, "chunks", m->windows);
    json_u64(root, "scored_tokens", m->scored);
    json_u64(root, "scored_bytes", m->scored_bytes);
    json_bool(root, "stopped_early", m->stopped_early);
    json_text(root, "activations", activations_name(r));
    cJSON *models = json_add_array(root, "models");
    for (size_t i = 0; i < s->count; i++)
        json_subject(models, m, &s->list[i], i == 0);
    json_print(root);
}
