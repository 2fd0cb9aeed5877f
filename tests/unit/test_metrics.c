/* Metrics against values worked out by hand or by the plain formula. */
#include "model/metrics.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define VOCAB 8

static void near(double found, double expected)
{
    if (fabs(found - expected) > 1e-12 * fmax(1, fabs(expected)))
        print_message("found %.17g, expected %.17g\n", found, expected);
    assert_true(fabs(found - expected) <= 1e-12 * fmax(1, fabs(expected)));
}

/* Logits of given probabilities, moved by a constant, which must not matter. */
static void logits_of(const double *p, float shift, float *logits)
{
    for (size_t i = 0; i < VOCAB; i++)
        logits[i] = (float)log(p[i]) + shift;
}

static const double p_base[VOCAB] = {.5, .25, .125, .0625, .03125, .015625, .0078125, .0078125};
static const double p_other[VOCAB] = {.25,      .5,     .0625,   .125,
                                      .0078125, .03125, .015625, .0078125};

static double plain_kld(const float *base, const float *other)
{
    double a = 0, b = 0, kld = 0;
    for (size_t i = 0; i < VOCAB; i++) {
        a += exp(base[i]);
        b += exp(other[i]);
    }
    for (size_t i = 0; i < VOCAB; i++)
        kld += exp(base[i]) / a * (log(exp(base[i]) / a) - log(exp(other[i]) / b));
    return kld;
}

static void one_position(void **state)
{
    (void)state;
    float base_logits[VOCAB], logits[VOCAB];
    struct metrics_base base;
    struct metrics_score s;
    logits_of(p_base, 0, base_logits);
    logits_of(p_other, 0, logits);
    assert_true(metrics_base_init(&base, VOCAB));
    metrics_base_set(&base, base_logits);
    metrics_score(&base, logits, VOCAB, 1, &s);
    assert_true(fabs(s.nll - log(2)) < 1e-6);
    assert_true(fabs(s.p - .5) < 1e-6 && fabs(s.dp - .25) < 1e-6);
    near(s.kld, plain_kld(base_logits, logits));
    near(metrics_nll(logits, VOCAB, 1), s.nll);
    assert_false(s.top1);
    assert_int_equal(s.top5, 4); /* token 4 gave way to token 5 */
    metrics_score(&base, base_logits, VOCAB, 0, &s);
    assert_true(s.top1);
    assert_int_equal(s.top5, 5);
    near(s.kld, 0);
    near(s.dp, 0);
    metrics_base_free(&base);
}

static void constants_and_large_logits_do_not_matter(void **state)
{
    (void)state;
    float a[VOCAB], b[VOCAB];
    struct metrics_base base;
    struct metrics_score s;
    for (size_t i = 0; i < VOCAB; i++) {
        a[i] = 1000 - (float)i;
        b[i] = -70000 - (float)i;
    }
    assert_true(metrics_base_init(&base, VOCAB));
    metrics_base_set(&base, a);
    metrics_score(&base, b, VOCAB, 3, &s);
    assert_true(fabs(s.kld) < 1e-9);
    assert_true(fabs(s.dp) < 1e-9);
    assert_true(s.top1);
    near(s.nll, metrics_nll(a, VOCAB, 3));
    metrics_base_free(&base);
}

/* Of equal logits the lower id counts as more likely, in base and model alike. */
static void ties(void **state)
{
    (void)state;
    const float flat[VOCAB] = {0};
    struct metrics_base base;
    struct metrics_score s;
    assert_true(metrics_base_init(&base, VOCAB));
    metrics_base_set(&base, flat);
    for (uint32_t i = 0; i < METRICS_TOP; i++)
        assert_int_equal(base.top[i], i);
    metrics_score(&base, flat, VOCAB, 7, &s);
    assert_true(s.top1);
    near(s.p, 1.0 / VOCAB);
    metrics_base_free(&base);
}

static void small_vocabulary(void **state)
{
    (void)state;
    const float two[2] = {0, 1};
    struct metrics_base base;
    struct metrics_score s;
    assert_true(metrics_base_init(&base, 2));
    metrics_base_set(&base, two);
    metrics_score(&base, two, 2, 0, &s);
    assert_true(s.top1);
    assert_int_equal(s.top5, 5);
    metrics_base_free(&base);
}

static void add(struct metrics *m, double nll, double kld, double dp, bool top1)
{
    struct metrics_score s = {.nll = nll, .kld = kld, .dp = dp, .top1 = top1, .top5 = 4};
    assert_true(metrics_add(m, &s));
}

static void summary(void **state)
{
    (void)state;
    struct metrics base = {0}, m = {0};
    struct metrics_summary s;
    for (int i = 0; i < 11; i++) {
        add(&base, i, 0, 0, true);
        add(&m, i + (i % 2 ? .5 : .25), i * .01, (i - 5) * .1, i != 3);
    }
    assert_true(metrics_summarize(&m, &base, &s));
    assert_int_equal(s.count, 11);
    double d = (6 * .25 + 5 * .5) / 11;
    double var = (6 * (.25 - d) * (.25 - d) + 5 * (.5 - d) * (.5 - d)) / 11;
    near(s.ratio.value, exp(d));
    near(s.ratio.error, exp(d) * sqrt(var / 10));
    near(s.perplexity.value, exp(5 + d));
    near(metrics_perplexity(&base).value, exp(5));
    near(metrics_perplexity(&base).error, exp(5)); /* variance 10, sqrt(10 / 10) */
    near(s.kld.value, .05);
    near(s.kld.error, .01);
    near(s.kld_median, .05);
    near(s.kld_p90, .09);
    near(s.kld_p95, .095);
    near(s.kld_max, .1);
    near(s.top1.value, 10.0 / 11);
    near(s.top1.error, sqrt(10.0 / 11 * (1.0 / 11) / 10));
    near(s.top5, .8);
    assert_true(fabs(s.dp.value) < 1e-15);
    near(s.dp_rms.value, sqrt(.1));
    near(s.dp_percentile[4], 0);
    near(s.dp_percentile[3], -.25);
    assert_true(s.correlation > .99 && s.correlation < 1);
    metrics_free(&m);
    metrics_free(&base);
}

static void nothing_and_one(void **state)
{
    (void)state;
    struct metrics m = {0};
    struct metrics_summary s;
    assert_true(metrics_summarize(&m, &m, &s));
    assert_int_equal(s.count, 0);
    add(&m, 2, .5, .1, true);
    assert_true(metrics_summarize(&m, &m, &s));
    near(s.perplexity.value, exp(2));
    near(s.perplexity.error, 0);
    near(s.ratio.value, 1);
    near(s.kld_p999, .5);
    metrics_free(&m);
}

static void bounds_of_a_share(void **state)
{
    (void)state;
    double low, high;
    metrics_share_bounds(0, 0, &low, &high);
    assert_true(low == 0 && high == 1);
    metrics_share_bounds(50, 100, &low, &high);
    assert_true(fabs(low - 0.4038315) < 1e-6 && fabs(high - 0.5961685) < 1e-6);
    metrics_share_bounds(0, 10, &low, &high);
    assert_true(low == 0 && fabs(high - 0.2775328) < 1e-6);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_position),
        cmocka_unit_test(constants_and_large_logits_do_not_matter),
        cmocka_unit_test(ties),
        cmocka_unit_test(small_vocabulary),
        cmocka_unit_test(summary),
        cmocka_unit_test(nothing_and_one),
        cmocka_unit_test(bounds_of_a_share),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
