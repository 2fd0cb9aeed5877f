/*
 * What the logits of a model are worth: perplexity, and the distance from a base model
 * that has seen the same tokens. Part of model/model.h's floor; the conventions of
 * libgguf/gguf.h hold here too.
 */
#ifndef MODEL_METRICS_H
#define MODEL_METRICS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif
#if defined(__GNUC__) /* the library hides everything else */
#pragma GCC visibility push(default)
#endif

#define METRICS_TOP 5

/* ---- One position --------------------------------------------------------------- */

/* The distribution of the base model at one position. Working memory of one thread. */
struct metrics_base {
    size_t vocab;
    double *p;                 /* [vocab], sums to 1 */
    const float *logits;       /* [vocab], the caller's */
    double log_sum;            /* log(sum(exp(logits))) */
    uint32_t top[METRICS_TOP]; /* most likely tokens, of equal ones the lower id first */
};

bool metrics_base_init(struct metrics_base *base, size_t vocab); /* false without memory */
void metrics_base_free(struct metrics_base *base);
/* Takes the base model's logits of a position, which must stay while they are compared. */
void metrics_base_set(struct metrics_base *base, const float *logits);

struct metrics_score {
    double nll;   /* -log p of the token that follows, in nats */
    double p;     /* its probability */
    double dp;    /* p - p_base; 0 without a base */
    double kld;   /* sum over tokens of p_base log(p_base / p), nats; 0 without a base */
    bool top1;    /* the most likely token is the base's */
    uint8_t top5; /* how many of the base's five most likely tokens are among its five */
};

/* Scores the logits of one position. `base` may be NULL. `right` is the token that follows,
 * below `vocab`. */
void metrics_score(const struct metrics_base *base, const float *logits, size_t vocab,
                   uint32_t right, struct metrics_score *score);

/* -log p of one token, as metrics_score has it. */
double metrics_nll(const float *logits, size_t vocab, uint32_t token);

/* ---- Many positions ------------------------------------------------------------- */

/* The scores of a model, in the order of the text. Starts as {0}. */
struct metrics {
    double *nll, *kld, *dp; /* [count] */
    size_t count, capacity;
    uint64_t top1, top5; /* sums */
};
bool metrics_add(struct metrics *metrics, const struct metrics_score *score);
void metrics_free(struct metrics *metrics);

/* A mean and its standard error. */
struct metrics_mean {
    double value, error;
};

/* exp of the mean nll. The error is perplexity * sd(nll) / sqrt(count - 1), as llama-perplexity
 * prints it. */
struct metrics_mean metrics_perplexity(const struct metrics *metrics);

/* Percentiles of the change of p that are kept. */
#define METRICS_DP_PERCENTILES 9
extern const double metrics_dp_percentile[METRICS_DP_PERCENTILES]; /* 0.1 ... 99.9 */

struct metrics_summary {
    size_t count; /* scored positions */
    struct metrics_mean perplexity;
    /* Of the perplexities of model and base; the error is that of the paired differences
     * of nll, much smaller than what the two errors suggest. */
    struct metrics_mean ratio;
    double correlation; /* of the nll of model and base */
    struct metrics_mean kld;
    double kld_median, kld_p90, kld_p95, kld_p99, kld_p999, kld_max;
    struct metrics_mean top1; /* share of positions */
    double top5;              /* share of tokens */
    struct metrics_mean dp;
    struct metrics_mean dp_rms;
    double dp_percentile[METRICS_DP_PERCENTILES];
};

/* Sums up a model against the base, which has as many positions (it may be the model
 * itself). False without memory. Percentiles are interpolated between the two nearest
 * values. */
bool metrics_summarize(const struct metrics *metrics, const struct metrics *base,
                       struct metrics_summary *summary);

/* Bounds of the share hits/n at 95 % (Wilson, J. Am. Stat. Assoc. 22:209, 1927). */
void metrics_share_bounds(uint64_t hits, uint64_t n, double *low, double *high);

#if defined(__GNUC__)
#pragma GCC visibility pop
#endif
#ifdef __cplusplus
}
#endif
#endif
