/* What the encoders search with: fits of a scale and of a line, and levels of codebooks. */
#include "quant/kernels/codebook.h"
#include "quant/kernels/fit_line.h"
#include "quant/kernels/fit_scale.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

/* x[i] = scale * (i + lo) + offset in block 0, twice that in block 1 and so on. */
static void fill_group(struct group *g, float scale, float lo, float offset)
{
    g->len = 16;
    g->weighted = false;
    for (size_t i = 0; i < g->len; i++)
        for (size_t l = 0; l < GROUP; l++) {
            g->x[i][l] = (float)(l + 1) * (scale * ((float)i + lo) + offset);
            g->w[i][l] = 1;
        }
}

static void exact_lines_are_found(void **state)
{
    (void)state;
    struct group g;
    fill_group(&g, 0.25f, 0, -2);
    for (size_t l = 0; l < GROUP; l++) {
        struct line_search s = {.g = &g, .at = l, .top = 15};
        const float times = (float)(l + 1);
        line_start(&s, INFINITY);
        line_try_ends(&s, 15, 0, 0);
        line_try_ends(&s, 15, 0.4f, 0.4f);
        line_repeat(&s);
        const float scale = s.best.scale / s.unit;
        const float offset = s.mean - scale * s.best.q * s.inverse_weight;
        assert_true(fabsf(scale - 0.25f * times) < 1e-6f * times);
        assert_true(fabsf(offset + 2 * times) < 1e-5f * times);
    }
}

/* The scale that is better, of either sign. */
static void check_exact_scale(const struct codebook *codebook, const struct group *g, float lo,
                              float hi, float expected)
{
    for (size_t l = 0; l < GROUP; l++) {
        struct scale_search s = {.g = g, .at = l, .lo = lo, .hi = hi, .codebook = codebook};
        scale_start(&s);
        for (int i = 0; i < 5; i++)
            scale_try_ends(&s, (float)i * 0.3f);
        scale_repeat(&s);
        const struct scale_fit fit = scale_better(s.up, s.down);
        assert_true(fit.error <= s.least); /* 1e-6 of the squares */
        assert_true(fabsf(fit.scale * s.extreme / ((float)(l + 1) * expected) - 1) < 1e-6f);
    }
}

static void exact_scales_are_found(void **state)
{
    (void)state;
    struct group g;
    fill_group(&g, 0.25f, -8, 0);
    check_exact_scale(NULL, &g, -8, 7, 0.25f);
    fill_group(&g, -0.25f, -8, 0);
    check_exact_scale(NULL, &g, -8, 7, -0.25f);
    for (size_t i = 0; i < g.len; i++)
        for (size_t l = 0; l < GROUP; l++)
            g.x[i][l] = -0.01f * (float)(l + 1) * codebook_iq4.level[i];
    check_exact_scale(&codebook_iq4, &g, -127, 113, -0.01f);
}

/* ---- Codebooks ------------------------------------------------------------------------- */

/* Of two that are as near the upper one. */
static float nearest_in(const struct codebook *book, float v)
{
    float best = book->level[0];
    for (size_t k = 1; k < 16; k++)
        if (fabsf(v - book->level[k]) <= fabsf(v - best))
            best = book->level[k];
    return best;
}

static void check_codebook(const struct codebook *book, int unused)
{
    uint32_t seen = 0;
    for (int i = -200 * 64; i <= 200 * 64; i++) {
        const float v = (float)i / 64;
        assert_true(codebook_level(book, v) == nearest_in(book, v));
        assert_true(codebook_level(book, nextafterf(v, -INFINITY)) ==
                    nearest_in(book, nextafterf(v, -INFINITY)));
    }
    for (size_t k = 0; k < 16; k++)
        seen |= 1u << codebook_code(book, (uint8_t)(book->level[k] - book->level[0]));
    for (int k = 0; k < 16; k++)
        assert_true(k == unused || seen >> k & 1);
    assert_true(codebook_level(book, NAN) == book->level[0]);
    assert_true(codebook_level(book, -1e38f) == book->level[0]);
    assert_true(codebook_level(book, 1e38f) == book->level[15]);
}

static void codebook_levels_are_nearest(void **state)
{
    (void)state;
    check_codebook(&codebook_iq4, 16);
    check_codebook(&codebook_fp4, 8); /* a second zero, not used */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(exact_lines_are_found),
        cmocka_unit_test(exact_scales_are_found),
        cmocka_unit_test(codebook_levels_are_nearest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
