/* Scores of positions and their statistics: see metrics.h. */
#include "model/metrics.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- One position --------------------------------------------------------------- */

static float maximum(const float *x, size_t n)
{
    float max = x[0];
    for (size_t i = 1; i < n; i++)
        max = x[i] > max ? x[i] : max;
    return max;
}

/* log(sum(exp(x))), without overflow. */
static double log_sum_exp(const float *x, size_t n)
{
    double max = maximum(x, n), sum = exp(x[0] - max);
    for (size_t i = 1; i < n; i++)
        sum += exp(x[i] - max);
    return max + log(sum);
}

/* The most likely tokens by insertion: nearly all are less likely than the fifth so far. */
static void find_top(const float *x, size_t n, uint32_t top[METRICS_TOP])
{
    size_t found = 0;
    for (size_t i = 0; i < n; i++) {
        if (found == METRICS_TOP && !(x[i] > x[top[METRICS_TOP - 1]]))
            continue;
        size_t at = found < METRICS_TOP ? found++ : METRICS_TOP - 1;
        for (; at > 0 && x[i] > x[top[at - 1]]; at--)
            top[at] = top[at - 1];
        top[at] = (uint32_t)i;
    }
    for (; found < METRICS_TOP; found++)
        top[found] = UINT32_MAX - (uint32_t)found; /* a vocabulary of less than five */
}

bool metrics_base_init(struct metrics_base *base, size_t vocab)
{
    *base = (struct metrics_base){.vocab = vocab, .p = malloc(vocab * sizeof *base->p)};
    return base->p != NULL;
}

void metrics_base_free(struct metrics_base *base)
{
    free(base->p);
    *base = (struct metrics_base){0};
}

void metrics_base_set(struct metrics_base *base, const float *logits)
{
    double max = maximum(logits, base->vocab), sum = exp(logits[0] - max);
    base->p[0] = sum;
    for (size_t i = 1; i < base->vocab; i++)
        sum += base->p[i] = exp(logits[i] - max);
    for (size_t i = 0; i < base->vocab; i++)
        base->p[i] /= sum;
    base->logits = logits;
    base->log_sum = max + log(sum);
    find_top(logits, base->vocab, base->top);
}

/* sum p_b (log p_b - log p) = sum p_b (x_b - x) + log_sum - log_sum_b */
static double divergence(const struct metrics_base *base, const float *logits, double log_sum)
{
    double sum = 0;
    for (size_t i = 0; i < base->vocab; i++) {
        if (base->p[i] > 0)
            sum += base->p[i] * ((double)base->logits[i] - (double)logits[i]);
    }
    return sum + log_sum - base->log_sum;
}

static uint8_t common(const uint32_t a[METRICS_TOP], const uint32_t b[METRICS_TOP])
{
    uint8_t n = 0;
    for (size_t i = 0; i < METRICS_TOP; i++) {
        for (size_t j = 0; j < METRICS_TOP; j++)
            n = (uint8_t)(n + (a[i] == b[j]));
    }
    return n;
}

void metrics_score(const struct metrics_base *base, const float *logits, size_t vocab,
                   uint32_t right, struct metrics_score *score)
{
    double log_sum = log_sum_exp(logits, vocab);
    *score = (struct metrics_score){
        .nll = log_sum - logits[right], .top1 = true, .top5 = METRICS_TOP};
    score->p = exp(-score->nll);
    if (!base)
        return;
    uint32_t top[METRICS_TOP] = {0};
    find_top(logits, vocab, top);
    score->dp = score->p - exp(base->logits[right] - base->log_sum);
    score->kld = divergence(base, logits, log_sum);
    score->top1 = top[0] == base->top[0];
    score->top5 = common(top, base->top);
}

double metrics_nll(const float *logits, size_t vocab, uint32_t token)
{
    return log_sum_exp(logits, vocab) - logits[token];
}

/* ---- Many positions ------------------------------------------------------------- */

static bool grow(double **array, size_t capacity)
{
    double *grown = realloc(*array, capacity * sizeof *grown);
    if (grown)
        *array = grown;
    return grown != NULL;
}

bool metrics_add(struct metrics *m, const struct metrics_score *score)
{
    if (m->count == m->capacity) {
        size_t more = m->capacity ? m->capacity * 2 : 1024;
        if (!grow(&m->nll, more) || !grow(&m->kld, more) || !grow(&m->dp, more))
            return false;
        m->capacity = more;
    }
    m->nll[m->count] = score->nll;
    m->kld[m->count] = score->kld;
    m->dp[m->count] = score->dp;
    m->top1 += score->top1;
    m->top5 += score->top5;
    m->count++;
    return true;
}

void metrics_free(struct metrics *m)
{
    free(m->nll);
    free(m->kld);
    free(m->dp);
    *m = (struct metrics){0};
}

static double mean(const double *x, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += x[i];
    return n ? sum / (double)n : 0;
}

/* Mean of (x - mean x) (y - mean y). */
static double covariance(const double *x, const double *y, size_t n)
{
    double mx = mean(x, n), my = mean(y, n), sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += (x[i] - mx) * (y[i] - my);
    return n ? sum / (double)n : 0;
}

static struct metrics_mean mean_of(const double *x, size_t n)
{
    struct metrics_mean m = {mean(x, n), 0};
    if (n > 1)
        m.error = sqrt(covariance(x, x, n) / (double)(n - 1));
    return m;
}

/* exp of a mean: the error follows the slope. */
static struct metrics_mean exponential(struct metrics_mean m)
{
    double value = exp(m.value);
    return (struct metrics_mean){value, value * m.error};
}

struct metrics_mean metrics_perplexity(const struct metrics *m)
{
    return exponential(mean_of(m->nll, m->count));
}

const double metrics_dp_percentile[METRICS_DP_PERCENTILES] = {0.1, 1,  5,  25,  50,
                                                              75,  95, 99, 99.9};

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double percentile(const double *sorted, size_t n, double percent)
{
    double at = percent / 100 * (double)(n - 1);
    size_t i = (size_t)at;
    size_t next = i + 1 < n ? i + 1 : i;
    double part = at - (double)i;
    return (1 - part) * sorted[i] + part * sorted[next];
}

static void kld_percentiles(double *kld, size_t n, struct metrics_summary *s)
{
    qsort(kld, n, sizeof *kld, ascending);
    s->kld_median = percentile(kld, n, 50);
    s->kld_p90 = percentile(kld, n, 90);
    s->kld_p95 = percentile(kld, n, 95);
    s->kld_p99 = percentile(kld, n, 99);
    s->kld_p999 = percentile(kld, n, 99.9);
    s->kld_max = kld[n - 1];
}

static void dp_percentiles(double *dp, size_t n, struct metrics_summary *s)
{
    qsort(dp, n, sizeof *dp, ascending);
    for (size_t i = 0; i < METRICS_DP_PERCENTILES; i++)
        s->dp_percentile[i] = percentile(dp, n, metrics_dp_percentile[i]);
}

/* Root of the mean square: the error follows the slope of the root. */
static struct metrics_mean root_mean_square(double *x, size_t n)
{
    for (size_t i = 0; i < n; i++)
        x[i] *= x[i];
    struct metrics_mean square = mean_of(x, n);
    double root = sqrt(square.value);
    return (struct metrics_mean){root, root > 0 ? square.error / (2 * root) : 0};
}

static double correlation(const struct metrics *m, const struct metrics *base)
{
    double xx = covariance(m->nll, m->nll, m->count);
    double yy = covariance(base->nll, base->nll, m->count);
    return xx > 0 && yy > 0 ? covariance(m->nll, base->nll, m->count) / sqrt(xx * yy) : 1;
}

static struct metrics_mean share(uint64_t hits, size_t n)
{
    double p = n ? (double)hits / (double)n : 0;
    return (struct metrics_mean){p, n > 1 ? sqrt(p * (1 - p) / (double)(n - 1)) : 0};
}

bool metrics_summarize(const struct metrics *m, const struct metrics *base,
                       struct metrics_summary *s)
{
    size_t n = m->count;
    *s = (struct metrics_summary){.count = n};
    if (n == 0)
        return true;
    double *work = malloc(n * sizeof *work);
    if (!work)
        return false;
    for (size_t i = 0; i < n; i++)
        work[i] = m->nll[i] - base->nll[i];
    s->perplexity = metrics_perplexity(m);
    s->ratio = exponential(mean_of(work, n));
    s->correlation = correlation(m, base);
    s->kld = mean_of(m->kld, n);
    memcpy(work, m->kld, n * sizeof *work);
    kld_percentiles(work, n, s);
    s->dp = mean_of(m->dp, n);
    memcpy(work, m->dp, n * sizeof *work);
    s->dp_rms = root_mean_square(work, n);
    memcpy(work, m->dp, n * sizeof *work);
    dp_percentiles(work, n, s);
    s->top1 = share(m->top1, n);
    s->top5 = (double)m->top5 / METRICS_TOP / (double)n;
    free(work);
    return true;
}

void metrics_share_bounds(uint64_t hits, uint64_t n, double *low, double *high)
{
    static const double z = 1.959963984540054; /* two-sided 95 % of the normal distribution */
    *low = 0, *high = 1;
    if (n == 0)
        return;
    double count = (double)n, p = (double)hits / count;
    double middle = p + z * z / (2 * count);
    double half = z * sqrt(p * (1 - p) / count + z * z / (4 * count * count));
    double scale = 1 + z * z / count;
    *low = fmax(0, (middle - half) / scale);
    *high = fmin(1, (middle + half) / scale);
}
